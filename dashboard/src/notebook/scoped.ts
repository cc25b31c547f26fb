/** The page's styles for a shadow tree: what is said of the document is said of its host. */
export function scoped(css: string): string {
  return css
    .replaceAll(/@import[^;]*;/g, "")
    .replaceAll(/:root(\[[^\]]*\])?/g, (_, of: string | undefined) => (of ? `:host(${of})` : ":host"))
    .replaceAll(/(^|[\s,}])(?:html|body)(?=\s*[{,])/g, "$1:host");
}

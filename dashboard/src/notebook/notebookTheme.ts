/** Whether the notebook around a cell is dark: JupyterLab and VS Code say it of their body, Colab of its root. */

export function isDark(): boolean {
  const { body, documentElement } = document;
  const light = body.dataset.jpThemeLight;
  if (light !== undefined) return light === "false";
  if (body.dataset.vscodeThemeKind !== undefined) return body.dataset.vscodeThemeKind.includes("dark");
  const theme = documentElement.getAttribute("theme");
  if (theme !== null) return theme === "dark";
  return window.matchMedia?.("(prefers-color-scheme: dark)").matches ?? false;
}

export function whenThemeChanges(act: () => void): () => void {
  const observer = new MutationObserver(act);
  const attributeFilter = ["data-jp-theme-light", "data-vscode-theme-kind", "theme"];
  for (const each of [document.body, document.documentElement]) {
    observer.observe(each, { attributes: true, attributeFilter });
  }
  const system = window.matchMedia?.("(prefers-color-scheme: dark)");
  system?.addEventListener("change", act);
  return () => {
    observer.disconnect();
    system?.removeEventListener("change", act);
  };
}

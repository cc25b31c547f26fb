/** Whether the server hands out another page than the one that is open: it was upgraded under it. */

/** Names of scripts carry a hash of their content, so another page has other names. */
export function isAnotherPage(own: readonly string[], html: string): boolean {
  return own.length > 0 && html.includes('type="module"') && own.some((name) => !html.includes(name));
}

/** Asks the server for its page. What cannot be had is no other page. */
export async function serverHasAnotherPage(): Promise<boolean> {
  const own = [...document.querySelectorAll('script[type="module"][src]')].map(
    (script) => script.getAttribute("src") ?? "",
  );
  try {
    const answer = await fetch("/", { cache: "no-store", headers: { accept: "text/html" } });
    return answer.ok && isAnotherPage(own, await answer.text());
  } catch {
    return false;
  }
}

/* While a sync is active the part marked `data-live` is fetched again every two seconds. Without this a reload does it. */
(() => {
  "use strict";
  const live = () => document.querySelector("[data-live]");
  const isBusy = () => live().contains(document.activeElement) && document.activeElement.matches("input, button, summary");
  const look = async () => {
    if (!live() || !live().hasAttribute("data-active")) return;
    try {
      const answer = await fetch(window.location.href, { credentials: "same-origin", redirect: "error" });
      if (answer.ok && !isBusy()) {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const fresh = page.querySelector("[data-live]");
        if (fresh) live().replaceWith(fresh);
      }
    } catch { /* The next look may have more luck. */ }
    setTimeout(look, 2000);
  };
  setTimeout(look, 1000);
})();

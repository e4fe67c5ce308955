// Copying and printing need a script; without one, the codes can be downloaded or written down.
"use strict";

const copy = document.querySelector("[data-copy]");
if (copy && navigator.clipboard) {
  copy.hidden = false;
  copy.addEventListener("click", async () => {
    const codes = [...document.querySelectorAll(`#${copy.dataset.copy} li`)].map((item) => item.textContent.trim());
    try {
      await navigator.clipboard.writeText(`${codes.join("\n")}\n`);
      copy.textContent = "Copied";
    } catch {
      copy.textContent = "Can't copy: use Download";
    }
  });
}

const print = document.querySelector("[data-print]");
if (print) {
  print.hidden = false;
  print.addEventListener("click", () => window.print());
}

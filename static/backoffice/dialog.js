// The dialog on a page: where the focus goes, and that nothing typed is lost by Esc or a click beside.
"use strict";

(() => {
  const FIELDS = "input:not([type=hidden]), select, textarea";
  const STOPS = `a[href], button:not([disabled]), ${FIELDS}, summary, [tabindex="0"]`;
  const KEPT = "Your entries are still here. Use Cancel to discard them.";
  let opener = null;

  const frame = () => document.getElementById("modal-frame");
  const content = () => document.getElementById("modal-content");
  const isOpen = () => Boolean(frame()?.checkVisibility?.() ?? frame()?.offsetParent);
  const stops = () => [...content().querySelectorAll(STOPS)].filter((each) => each.getClientRects().length > 0);

  const isTyped = (field) => {
    if (field instanceof HTMLSelectElement) {
      return [...field.options].some((option) => option.selected !== option.defaultSelected && option.index > 0);
    }
    return field.type === "checkbox" || field.type === "radio"
      ? field.checked !== field.defaultChecked
      : field.value !== field.defaultValue;
  };

  // A preview and a refusal carry what was typed before; a token that is shown once is kept until it is stored.
  const isWorthKeeping = () => {
    const dialog = document.getElementById("dialog");
    if (!dialog) return false;
    return dialog.matches("[data-keep]") || [...dialog.querySelectorAll(FIELDS)].some(isTyped);
  };

  const say = (text) => {
    const dialog = document.getElementById("dialog");
    let line = dialog.querySelector(".ch-kept");
    if (!line) {
      line = document.createElement("p");
      line.className = "ch-kept";
      line.setAttribute("role", "status");
      (dialog.querySelector("footer") ?? dialog).prepend(line);
    }
    line.textContent = text;
  };

  const leave = () => {
    if (isWorthKeeping()) {
      say(document.getElementById("dialog").dataset.keep || KEPT);
      return;
    }
    window.dispatchEvent(new CustomEvent("staff-close"));
  };

  const enter = (tries = 20) => {
    const dialog = document.getElementById("dialog");
    if (!dialog) return;
    if (!isOpen()) {
      // The frame shows itself only after the answer was put into it.
      if (tries > 0) window.setTimeout(() => enter(tries - 1), 25);
      return;
    }
    dialog.setAttribute("aria-modal", "true");
    const wanted =
      dialog.querySelector(".ch-apply:not(.ch-button-danger)") ||
      (dialog.querySelector(".ch-apply") && dialog.querySelector("footer [value=edit]")) ||
      [...dialog.querySelectorAll(`.errors :is(${FIELDS}), .group-\\[\\.errors\\] :is(${FIELDS})`)][0] ||
      [...dialog.querySelectorAll(FIELDS)].find((field) => field.getClientRects().length > 0) ||
      stops()[0];
    wanted?.focus({ preventScroll: Boolean(wanted.closest("footer")) });
    if (wanted?.closest("footer")) content().scrollTop = 0;
  };

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.detail.target?.id === "modal-content") opener = event.detail.elt;
  });
  document.addEventListener("htmx:afterSettle", () => enter());

  document.addEventListener("keydown", (event) => {
    if (!isOpen()) return;
    if (event.key === "Escape") {
      event.preventDefault();
      leave();
    }
    if (event.key !== "Tab") return;
    const all = stops();
    const [first, last] = [all[0], all[all.length - 1]];
    const here = document.activeElement;
    if (!content().contains(here) || here === (event.shiftKey ? first : last)) {
      event.preventDefault();
      (event.shiftKey ? last : first)?.focus();
    }
  });

  // Unfold opens a list's filters by a link without an address, which no key reaches.
  const listenForFilters = () => {
    const button = document.querySelector('a[x-on\\:click*="filterOpen"]');
    const sheet = document.getElementById("changelist-filter");
    if (!button || !sheet) return;
    button.setAttribute("role", "button");
    button.tabIndex = 0;
    button.querySelector(".material-symbols-outlined")?.setAttribute("aria-hidden", "true");
    button.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      button.click();
    });
    button.addEventListener("click", () => setTimeout(() => sheet.querySelector(FIELDS)?.focus()));
    sheet.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      document.getElementById("changelist-filter-close").click();
      button.focus();
    });
  };

  // What scrolls by simplebar is a region that is called "scrollable content": two of them can't be told apart.
  const SCROLLED = { "#nav-sidebar-apps": "Pages", "#changelist-form [data-simplebar]": "The list" };

  document.addEventListener("DOMContentLoaded", () => {
    for (const [selector, name] of Object.entries(SCROLLED)) {
      document.querySelector(selector)?.setAttribute("data-simplebar-aria-label", name);
    }
    listenForFilters();
    if (!frame()) return;
    frame().addEventListener("pointerdown", (event) => {
      if (event.target === frame()) leave();
    });
    let wasOpen = false;
    new MutationObserver(() => {
      const nowOpen = isOpen();
      if (wasOpen && !nowOpen) opener?.focus();
      wasOpen = nowOpen;
    }).observe(frame(), { attributes: true, attributeFilter: ["style"] });
  });
})();

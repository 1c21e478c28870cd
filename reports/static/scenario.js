/* A scenario's page: opening all rungs, arrow keys on the ladder, and fields that light up their octets.
   Without this script everything can still be read and opened. */
(() => {
  "use strict";
  ladder();
  octets();

  function ladder() {
    const rungs = [...document.querySelectorAll(".rungs summary.rung")];
    const all = document.querySelector("button.open-all");
    if (all) {
      all.hidden = false;
      all.addEventListener("click", () => {
        const open = all.textContent !== "Close all";
        for (const rung of rungs) rung.parentNode.open = open;
        all.textContent = open ? "Close all" : "Open all";
      });
    }
    rungs.forEach((rung, place) => rung.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (!step || event.altKey || event.ctrlKey || event.metaKey) return;
      const next = rungs[place + step];
      if (next) { event.preventDefault(); next.focus(); }
    }));
  }

  /* A field of the tree says `data-at` and `data-n`; the hex view has fixed columns: 4 digits, two spaces, sixteen
     times "xx ", a space, sixteen characters. The highlight is a range of the text, so the page itself stays as it is. */
  function octets() {
    if (!window.Highlight || !CSS.highlights) return;
    const light = new Highlight();
    CSS.highlights.set("field", light);
    const width = 16, line = 4 + 2 + (3 * width - 1) + 2 + width + 1;

    function mark(field) {
      light.clear();
      const box = field && field.closest(".opened");
      const hex = box && box.querySelector(`pre.hex[data-of=${CSS.escape(field.dataset.of)}]`);
      if (!hex) return;
      const text = hex.firstChild;
      const start = Number(field.dataset.at), end = start + Number(field.dataset.n);
      for (let at = start; at < end;) {
        const row = Math.floor(at / width), from = at % width, to = Math.min(width, from + end - at);
        span(text, row * line + 6 + 3 * from, row * line + 6 + 3 * to - 1);
        span(text, row * line + 6 + 3 * width + 1 + from, row * line + 6 + 3 * width + 1 + to);
        at += to - from;
      }
      scroll(hex, start);
    }

    function span(text, from, to) {
      if (from >= text.length) return;
      const range = new Range();
      range.setStart(text, from);
      range.setEnd(text, Math.min(to, text.length));
      light.add(range);
    }

    function scroll(hex, start) {
      const rowHeight = hex.scrollHeight / Math.max(1, hex.textContent.split("\n").length);
      const top = Math.floor(start / width) * rowHeight;
      if (top < hex.scrollTop || top > hex.scrollTop + hex.clientHeight - 2 * rowHeight) hex.scrollTop = top - 2 * rowHeight;
    }

    for (const tree of document.querySelectorAll(".tree")) {
      const follow = (event) => mark(event.target.closest("li[data-at]"));
      tree.addEventListener("pointerover", follow);
      tree.addEventListener("focusin", follow);
      tree.addEventListener("pointerleave", () => light.clear());
    }
  }
})();

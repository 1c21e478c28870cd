/* Filters of the index page. The filter is the address: everything chosen stands in location.hash, so a view can be
   sent as a link. Without this script the page shows everything. */
(() => {
  "use strict";
  const $ = (id) => document.getElementById(id);
  const rows = [...document.querySelectorAll("table.results li[data-v]")];
  if (!rows.length) return;

  const boxes = [...document.querySelectorAll("input[name=verdict]")];
  const [query, group, pairing] = [$("q"), $("group"), $("pairing")];
  const facts = rows.map((row) => ({
    row,
    line: row.closest("tr"),
    body: row.closest("tbody"),
    verdict: row.dataset.v,
    pairing: row.dataset.p,
  }));
  for (const fact of facts) {
    const said = [...fact.line.cells].slice(0, 2).map((cell) => cell.textContent).join(" ");
    fact.text = `${fact.body.dataset.group}/${said} ${fact.row.textContent} ${fact.line.dataset.c || ""}`.toLowerCase();
  }

  document.querySelector(".filters").hidden = false;

  function show() {
    const chosen = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    const words = query.value.toLowerCase().split(/\s+/).filter(Boolean);
    const alive = new Set();
    let count = 0;
    for (const fact of facts) {
      const fits = (!chosen.size || chosen.has(fact.verdict))
        && (!group.value || fact.body.dataset.group === group.value)
        && (!pairing.value || fact.pairing === pairing.value)
        && words.every((word) => fact.text.includes(word));
      fact.row.hidden = !fits;
      if (fits) { count += 1; alive.add(fact.line).add(fact.body); }
    }
    for (const fact of facts) {
      fact.line.hidden = !alive.has(fact.line);
      fact.body.hidden = !alive.has(fact.body);
    }
    $("nothing").hidden = count > 0;
    const total = `${rows.length} result${rows.length === 1 ? "" : "s"}`;
    $("shown").textContent = count === rows.length ? total : `${count} of ${total}`;
    $("clear").hidden = count === rows.length && !chosen.size && !words.length && !group.value && !pairing.value;
  }

  function remember() {
    const state = new URLSearchParams();
    const chosen = boxes.filter((box) => box.checked).map((box) => box.value);
    if (chosen.length) state.set("verdict", chosen.join(","));
    if (group.value) state.set("group", group.value);
    if (pairing.value) state.set("pairing", pairing.selectedOptions[0].textContent);
    if (query.value) state.set("q", query.value);
    history.replaceState(null, "", `#${state.toString() || "results"}`);
    show();
  }

  function recall() {
    const hash = location.hash.slice(1);
    if (hash && !hash.includes("=")) return show();
    const state = new URLSearchParams(hash);
    const chosen = (state.get("verdict") || "").split(",");
    for (const box of boxes) box.checked = chosen.includes(box.value);
    group.value = state.get("group") || "";
    const wanted = state.get("pairing");
    pairing.value = ([...pairing.options].find((option) => wanted && option.textContent === wanted) || { value: "" }).value;
    query.value = state.get("q") || "";
    show();
  }

  function preset(values) {
    for (const box of boxes) box.checked = box.value === values.verdict;
    group.value = values.group || "";
    pairing.value = values.pairing || "";
    query.value = values.q || "";
    remember();
    $("results").scrollIntoView();
    $("shown").tabIndex = -1;
    $("shown").focus({ preventScroll: true });
  }

  for (const link of document.querySelectorAll("a[data-verdict], a[data-group], a[data-q]")) {
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      preset(link.dataset);
    });
  }
  query.addEventListener("input", remember);
  for (const control of [group, pairing, ...boxes]) control.addEventListener("change", remember);
  $("clear").addEventListener("click", () => { preset({}); query.focus(); });
  addEventListener("hashchange", recall);
  recall();
})();

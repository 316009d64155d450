"use strict";
// The view: which arms and measures are shown, and by which measure the arms are sorted. It is kept in the fragment of
// the address, as in #arms=none,ema&measures=exam_acc&sort=-exam_acc, so that a link carries it.
(() => {
  const form = document.getElementById("view");
  const body = document.getElementById("overview").tBodies[0];
  const heads = [...document.querySelectorAll("#overview thead [data-measure]")];
  const inOrder = [...body.rows];
  const groups = ["arms", "measures"];
  let sort = "";

  const boxes = (group) => [...form.querySelectorAll(`input[name=${group}]`)];
  const chosen = (group) => boxes(group).filter((box) => box.checked).map((box) => box.value);

  function read() {
    const view = new URLSearchParams(location.hash.slice(1));
    for (const group of groups) {
      const named = view.has(group) ? view.get(group).split(",") : null;
      for (const box of boxes(group)) box.checked = named === null || named.includes(box.value);
    }
    sort = view.get("sort") || "";
  }

  function write() {
    const view = [];
    for (const group of groups) {
      const names = chosen(group);
      if (names.length < boxes(group).length) view.push(`${group}=${names.map(encodeURIComponent).join(",")}`);
    }
    if (sort) view.push(`sort=${encodeURIComponent(sort)}`);
    history.replaceState(null, "", `#${view.join("&")}`);
  }

  function show() {
    const arms = new Set(chosen("arms"));
    const measures = new Set(chosen("measures"));
    for (const part of document.querySelectorAll("[data-arms], [data-measure]")) {
      const { arms: named, measure } = part.dataset;
      const stays = (!named || named.split(" ").every((arm) => arms.has(arm))) && (!measure || measures.has(measure));
      part.toggleAttribute("hidden", !stays);
    }
    order();
    const counts = groups.map((group) => [group, chosen(group).length, boxes(group).length]);
    for (const [group, some, all] of counts) {
      const text = some === all ? `all ${all}` : `${some} of ${all}`;
      form.querySelector(`[data-group=${group}] output`).textContent = text;
    }
    const bar = document.getElementById("chosen");
    bar.hidden = counts.every(([, some, all]) => some === all);
    bar.querySelector("output").textContent = counts.map(([group, some, all]) => `${some} of ${all} ${group}`).join(", ");
  }

  function order() {
    const key = sort.replace(/^-/, "");
    const sign = sort.startsWith("-") ? -1 : 1;
    const column = heads.findIndex((head) => head.dataset.measure === key) + 1;
    for (const head of heads) head.removeAttribute("aria-sort");
    const rows = [...inOrder];
    if (column > 0) {
      heads[column - 1].setAttribute("aria-sort", sign < 0 ? "descending" : "ascending");
      const value = (row) => row.cells[column].dataset.value;
      const missing = (row) => value(row) === undefined;
      rows.sort((a, b) => missing(a) - missing(b) || sign * (value(a) - value(b)) || 0);
    }
    body.append(...rows);
  }

  function change() {
    write();
    show();
  }

  // The best first, then the other way round, then as the arms are.
  for (const head of heads) {
    const key = head.dataset.measure;
    const [first, second] = head.dataset.better === "lower" ? [key, `-${key}`] : [`-${key}`, key];
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.addEventListener("click", () => {
      sort = sort === first ? second : sort === second ? "" : first;
      change();
    });
    head.append(button);
  }
  for (const button of document.querySelectorAll("[data-check]")) {
    const within = button.closest("[data-group]") || form;
    button.addEventListener("click", () => {
      for (const box of within.querySelectorAll("input")) box.checked = button.dataset.check === "all";
      change();
    });
  }
  form.addEventListener("change", change);
  window.addEventListener("hashchange", () => {
    // Not when a link to a section was followed.
    if (!location.hash || location.hash.includes("=")) {
      read();
      show();
    }
  });

  for (const group of form.querySelectorAll("details")) group.open = matchMedia("(min-width: 56rem)").matches;
  read();
  show();
  form.hidden = false;
})();

"use strict";
// Fills the table of examples by seed. Texts enter the page as text nodes only, never as markup.
(() => {
  const ROWS = 25;
  // The same characters as visible.py.
  const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff\u{e0000}-\u{e0fff}]/u;
  const VERDICTS = { r: ["✓", "right"], w: ["✗", "wrong"], u: ["?", "unparsable"] };
  const byId = (id) => document.getElementById(id);
  const [query, outcome, iteration, gate, order] = ["query", "outcome", "iteration", "gate", "order"].map(byId);
  let data;
  let seeds = [];
  let found = [];
  let page = 0;
  const open = new Set();

  const make = (tag, name, ...children) => {
    const element = document.createElement(tag);
    if (name) element.className = name;
    element.append(...children);
    return element;
  };

  // Give a text as nodes: hidden characters as their code points, what is searched for marked.
  const nodes = (text) => {
    const parts = [];
    const words = query.value.trim().toLowerCase();
    const plain = (piece) => {
      let at = 0;
      const lower = piece.toLowerCase();
      // Lower case may be longer (U+0130); then places do not agree and nothing is marked.
      for (let next; words && lower.length === piece.length && (next = lower.indexOf(words, at)) >= 0; at = next + words.length) {
        parts.push(piece.slice(at, next), make("mark", "", piece.slice(next, next + words.length)));
      }
      parts.push(piece.slice(at));
    };
    let rest = text;
    for (let match; (match = HIDDEN.exec(rest)); rest = rest.slice(match.index + match[0].length)) {
      plain(rest.slice(0, match.index));
      parts.push(make("span", "code", "U+" + match[0].codePointAt(0).toString(16).toUpperCase().padStart(4, "0")));
    }
    plain(rest);
    return parts;
  };

  const block = (title, text) => {
    const pre = make("div", "pre", ...nodes(text));
    pre.dir = "auto";
    return make("div", "text", make("h4", "", title), pre);
  };

  const fate = (verdicts) => {
    if (!verdicts.includes("r")) return "never";
    if (!verdicts.endsWith("r")) return "broken";
    return /^r*$/.test(verdicts) ? "always" : "fixed";
  };

  const verdictCell = (verdicts) => {
    const told = [...verdicts].map((letter, student) => `${student} ${VERDICTS[letter][1]}`).join(", ");
    const glyphs = make("span", "", ...[...verdicts].map((letter) => make("span", "v " + letter, VERDICTS[letter][0])));
    glyphs.setAttribute("aria-hidden", "true");
    return make("td", "verdicts", glyphs, make("span", "hidden", told));
  };

  const count = (label, list) => {
    const cell = make("td", "", String(list.length));
    cell.dataset.label = label;  // page.css shows it where the head of the table has no room
    return cell;
  };

  const inside = (seed) => {
    const cell = make("td", "inside");
    cell.colSpan = 4;
    cell.append(
      make("div", "sides", block("Seed", seed.input), block("Gold target", seed.target)),
      make("p", "soft", `${seed.requests} request${seed.requests === 1 ? "" : "s"} to the teacher. `, make("code", "", "llm2llm blame ", ...nodes(seed.id))),
    );
    for (const [id, from, input, target, error, teacher] of seed.examples) {
      const name = make("bdi", "", ...nodes(data.teachers[teacher]));
      cell.append(make("article", "",
        make("h3", "", "Example ", make("span", "id", ...nodes(id))),
        make("p", "soft", `written in iteration ${from} by `, name, ". ", make("code", "", "llm2llm explain ", ...nodes(id))),
        make("div", "sides", block("Input", input), block("Target", target), block(`The wrong answer of student ${from}`, error))));
    }
    if (seed.rejected.length) {
      const list = make("ul", "", ...seed.rejected.map(([from, stopped, reason]) => make("li", "",
        `iteration ${from}: `, make("b", "", make("bdi", "", ...nodes(data.gates[stopped]))), ", ", make("bdi", "", ...nodes(reason)))));
      cell.append(make("article", "", make("h3", "", "Rejected"), list));
    }
    return make("tr", "", cell);
  };

  const row = (seed) => {
    const button = make("button", "open", make("span", "id", ...nodes(seed.id)), make("bdi", "start", ...nodes(seed.input.slice(0, 160))));
    button.type = "button";
    const head = make("th", "", button);
    head.scope = "row";
    const line = make("tr", "", head, verdictCell(seed.verdicts), count("kept", seed.examples), count("rejected", seed.rejected));
    const show = () => {
      const shown = open.has(seed.id);
      button.setAttribute("aria-expanded", String(shown));
      if (shown) line.after(inside(seed));
      else if (line.nextSibling && line.nextSibling.firstChild.className === "inside") line.nextSibling.remove();
    };
    button.addEventListener("click", () => {
      if (!open.delete(seed.id)) open.add(seed.id);
      show();
    });
    return [line, show];
  };

  const draw = () => {
    const n = Math.max(1, Math.ceil(found.length / ROWS));
    page = Math.min(page, n - 1);
    const rows = found.slice(page * ROWS, (page + 1) * ROWS).map(row);
    byId("rows").tBodies[0].replaceChildren(...rows.map(([line]) => line));
    for (const [, show] of rows) show();
    byId("page").textContent = `page ${page + 1} of ${n}`;
    byId("previous").disabled = page === 0;
    byId("next").disabled = page === n - 1;
    const kept = found.reduce((sum, seed) => sum + seed.examples.length, 0);
    byId("found").textContent = found.length
      ? `${found.length.toLocaleString("en")} of ${seeds.length.toLocaleString("en")} seeds, with ${kept.toLocaleString("en")} example${kept === 1 ? "" : "s"}`
      : "No seed fits.";
  };

  const filter = () => {
    const words = query.value.trim().toLowerCase();
    const from = iteration.value === "" ? null : Number(iteration.value);
    const stopped = gate.value === "" ? null : Number(gate.value);
    found = seeds.filter((seed) =>
      (!outcome.value || fate(seed.verdicts) === outcome.value)
      && (from === null || seed.examples.some((example) => example[1] === from))
      && (stopped === null || seed.rejected.some((rejection) => rejection[1] === stopped))
      && (!words || holds(seed, words)));
    if (order.value === "kept") found.sort((a, b) => b.examples.length - a.examples.length);
    if (order.value === "requests") found.sort((a, b) => b.requests - a.requests);
    page = 0;
    draw();
  };

  const holds = (seed, words) =>
    [seed.id, seed.input, seed.target, ...seed.examples.flatMap((e) => [e[0], e[2], e[3], e[4], data.teachers[e[5]]]), ...seed.rejected.map((e) => e[2])]
      .some((text) => text.toLowerCase().includes(words));

  const option = (select, value, text) => {
    const added = make("option", "", text);
    added.value = value;
    select.append(added);
  };

  const turn = (step) => {
    page += step;
    draw();
    byId("rows").scrollIntoView();
  };

  const start = () => {
    data = JSON.parse(byId("data").textContent);
    seeds = data.seeds.map(([id, input, target, verdicts, requests, rejected, examples]) =>
      ({ id, input, target, verdicts, requests, rejected, examples }));
    const iterations = new Set(seeds.flatMap((seed) => seed.examples.map((example) => example[1])));
    for (const each of [...iterations].sort((a, b) => a - b)) option(iteration, each, `iteration ${each}`);
    data.gates.forEach((name, place) => option(gate, place, name));
    let waiting;
    query.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(filter, 150);
    });
    for (const select of [outcome, iteration, gate, order]) select.addEventListener("change", filter);
    byId("filters").addEventListener("submit", (event) => event.preventDefault());
    byId("previous").addEventListener("click", () => turn(-1));
    byId("next").addEventListener("click", () => turn(1));
    filter();
    for (const element of [byId("filters"), byId("rows"), document.querySelector(".pages")]) element.hidden = false;
    performance.mark("table");
  };

  // Paper cannot be opened: print what is folded, but for what is folded within, then fold it again.
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("section > details:not([open])")];
    for (const each of folded) each.open = true;
  });
  addEventListener("afterprint", () => {
    for (const each of folded) each.open = false;
  });

  // The page is painted before the data are read.
  requestAnimationFrame(() => setTimeout(start));
})();

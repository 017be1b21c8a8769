"use strict";
(() => {
  const PER_PAGE = 50;
  const LONG = 400;
  // Each character becomes four elements.
  const MOST_ALIGNED = 2000;
  const root = document.documentElement;
  const data = JSON.parse(document.getElementById("data").textContent);
  const filters = document.getElementById("filters");
  const aligned = document.getElementById("aligned");
  const list = document.getElementById("list");
  const found = document.getElementById("found");
  const player = document.getElementById("player");
  const audio = document.getElementById("audio");
  const playing = document.getElementById("playing");
  const state = { page: 0, ids: null, clip: null, id: "", broken: false };
  let clips = null;

  const language = () => root.dataset.language;

  function say(key, values = {}) {
    return data.words[language()][key].replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
  }

  function element(tag, className, ...children) {
    const made = document.createElement(tag);
    if (className) made.className = className;
    made.append(...children.filter((child) => child !== null));
    return made;
  }

  // Language.

  function speak(next) {
    root.dataset.language = next;
    root.lang = next === "zh" ? "zh-Hans" : "en";
    for (const one of document.querySelectorAll("[data-attribute]")) {
      const words = one.dataset[next];
      if (one.dataset.attribute === "text") one.textContent = words;
      else one.setAttribute(one.dataset.attribute, words);
    }
    for (const one of document.querySelectorAll("[data-switch]")) {
      one.setAttribute("aria-pressed", String(one.dataset.switch === next));
    }
    showTimes();
    show();
    name();
  }

  function showTimes() {
    const form = { dateStyle: "medium", timeStyle: "short", hour12: false };
    for (const one of document.querySelectorAll("time")) {
      one.textContent = new Date(one.dateTime).toLocaleString(root.lang, form);
    }
  }

  // Choosing utterances.

  function haystack(one) {
    one.haystack ??= [one.id, one.text, ...one.hypotheses.map((heard) => heard?.text ?? "")].join("\n").toLowerCase();
    return one.haystack;
  }

  function changesOf(one, candidate) {
    const chosen = candidate === "" ? one.changes : [one.changes[Number(candidate)]];
    return chosen.filter((change) => change !== null);
  }

  const compare = (a, b) => a[0] - b[0] || a[1] - b[1];
  const signOf = (change) => Math.sign(compare(change, [0, 0]));

  function chosen() {
    const value = (field) => filters.elements[field]?.value ?? "";
    const search = value("search").trim().toLowerCase();
    const wanted = { worse: 1, better: -1 }[value("change")];
    const matches = (one) =>
      (!state.ids || state.ids.has(one.id)) &&
      (!value("category") || one.category === value("category")) &&
      (!value("speaker") || one.speaker === value("speaker")) &&
      (!wanted || changesOf(one, value("candidate")).some((change) => signOf(change) === wanted)) &&
      (!search || haystack(one).includes(search));
    const kept = data.utterances.filter(matches);
    return wanted || value("candidate") !== "" ? kept.sort(order(value("candidate"), wanted)) : kept;
  }

  function order(candidate, wanted) {
    const best = wanted === -1 ? -1 : 1;
    const key = (one) => {
      const changes = changesOf(one, candidate).sort(compare);
      return (best === 1 ? changes.at(-1) : changes[0]) ?? [0, 0];
    };
    return (a, b) => best * compare(key(b), key(a));
  }

  // Showing a page of them.

  function show() {
    const kept = chosen();
    const last = Math.max(0, Math.ceil(kept.length / PER_PAGE) - 1);
    state.page = Math.min(Math.max(state.page, 0), last);
    const first = state.page * PER_PAGE;
    const shown = kept.slice(first, first + PER_PAGE);
    list.replaceChildren(...shown.map(row));
    const range = { first: first + 1, last: first + shown.length, n: kept.length };
    const phrase = state.ids ? ` · ${say("phrase", { n: state.ids.size })}` : "";
    found.textContent = (shown.length ? say("range", range) : say("none")) + phrase;
    const [previous, next] = document.querySelectorAll("[data-page]");
    previous.disabled = state.page === 0;
    next.disabled = state.page === last;
    mark();
  }

  function row(one) {
    const head = element("div", "head", element("bdi", "id", one.id), listen(one), ...tags(one), ...changes(one));
    const body = element("tbody", "", line(say("reference"), element("bdi", "", one.text || say("empty")), ""));
    one.hypotheses.forEach((heard, index) => {
      const content = element("div", "", said(heard), wrong(heard));
      body.append(line(data.versions[index], content, cost(heard)));
    });
    return element("li", "utterance", head, element("table", "lines", body));
  }

  function tags(one) {
    return [one.category, one.speaker].filter(Boolean).map((text) => element("bdi", "", text));
  }

  function listen(one) {
    const seconds = one.seconds === null ? "" : say("seconds", { n: one.seconds.toFixed(1) });
    if (!one.clip) return element("span", "", [say(`absent.${one.absent}`), seconds].filter(Boolean).join(" · "));
    const icon = element("span", "icon");
    icon.setAttribute("aria-hidden", "true");
    const button = element("button", "play", icon, element("span", "unseen", say("play", { id: one.id })), seconds);
    button.type = "button";
    Object.assign(button.dataset, { clip: one.clip, id: one.id });
    return button;
  }

  function changes(one) {
    return one.changes.map((change, index) => (change === null ? null : changeOf(change, data.candidates[index])));
  }

  function changeOf([errors, numbers], version) {
    if (errors) return element("span", errors > 0 ? "change worse" : "change better", say(errors > 0 ? "worse" : "better", { version, n: Math.abs(errors) }));
    if (numbers) return element("span", numbers > 0 ? "change worse" : "change better", say(numbers > 0 ? "numbers_worse" : "numbers_better", { version }));
    return element("span", "", say("equal", { version }));
  }

  function line(label, content, price) {
    const th = element("th", "", element("bdi", "", label));
    th.scope = "row";
    const long = content.textContent.length > LONG;
    const box = element("div", long ? "long" : "", content);
    if (long) box.tabIndex = 0;
    return element("tr", "", th, element("td", "", box), element("td", "cost", price));
  }

  function said(heard) {
    if (heard === null) return element("span", "quiet", say("missing"));
    if (heard.error !== null) return element("bdi", "failed", say("failed", { error: heard.error }));
    if (!heard.diff.length) return heard.text ? element("bdi", "", heard.text) : element("span", "quiet", say("empty"));
    const faulty = heard.diff.some(([code]) => code !== "h");
    const short = heard.diff.flat().join("").length <= MOST_ALIGNED;
    const parts = aligned.checked && faulty && short ? columns(heard.diff) : element("bdi", "", ...heard.diff.map(part));
    if (!heard.text) parts.append(" ", element("span", "quiet", say("empty")));
    return parts;
  }

  function part([code, first, second]) {
    if (code === "s") return element("span", "sub", element("s", "", first), element("b", "", second));
    return code === "d" ? element("del", "", first) : code === "i" ? element("ins", "", first) : first;
  }

  // A token is a character of Chinese and what is written alike, or a word.
  const TOKEN = /[\u2e80-\u{10ffff}]|[^\s\u2e80-\u{10ffff}]+/gu;
  const tokens = (text) => text.match(TOKEN) ?? [];

  function columns(diff) {
    const made = diff.flatMap(([code, first, second]) => {
      const above = code === "i" ? [] : tokens(first);
      const below = code === "h" ? above : code === "s" ? tokens(second) : code === "i" ? tokens(first) : [];
      const length = Math.max(above.length, below.length);
      return Array.from({ length }, (_, index) => column(code, above[index] ?? "", below[index] ?? ""));
    });
    return element("bdi", "columns", ...made);
  }

  function column(code, above, below) {
    const word = /^[^\u2e80-\u{10ffff}]*$/u.test(above + below);
    // An empty line would have no height.
    const cell = (text, name) => element("span", name, text || "\u00a0");
    const letter = code === "h" ? "" : code.toUpperCase();
    return element("span", `column ${code}${word ? " word" : ""}`, cell(above, ""), cell(below, ""), cell(letter, "letter"));
  }

  function wrong(heard) {
    if (!heard?.missed.length) return null;
    const pairs = heard.missed.map(([before, after]) => `${before} → ${after ?? say("no_number")}`).join(" · ");
    return element("bdi", "wrong", say("missed", { pairs }));
  }

  function cost(heard) {
    if (heard === null) return "";
    const errors = heard.errors === null ? "" : heard.errors === 0 ? say("right") : say(heard.errors === 1 ? "error" : "errors", { n: heard.errors });
    const latency = heard.latency === null ? "" : say("ms", { n: heard.latency.toFixed(0) });
    return [errors, latency].filter(Boolean).join(" · ");
  }

  // Audio: clips are decoded when they are first asked for.

  function source(clip) {
    clips ??= JSON.parse(document.getElementById("clips").textContent);
    const [head, body] = clips[clip].split(",");
    const bytes = Uint8Array.from(atob(body), (letter) => letter.charCodeAt(0));
    return URL.createObjectURL(new Blob([bytes], { type: head.slice("data:".length, head.indexOf(";")) }));
  }

  function play(clip, id) {
    if (state.clip === clip && state.id === id && !audio.paused) {
      audio.pause();
      return;
    }
    if (state.clip !== clip) {
      if (audio.src) URL.revokeObjectURL(audio.src);
      audio.src = source(clip);
    }
    Object.assign(state, { clip, id, broken: false });
    player.hidden = false;
    name();
    // A browser that cannot play the format says so by the `error` event as well.
    audio.play().catch(() => {});
  }

  function name() {
    playing.textContent = state.broken ? say("cannot_play", { id: state.id }) : state.id;
  }

  function mark() {
    for (const one of document.querySelectorAll(".play")) {
      one.classList.toggle("active", !audio.paused && one.dataset.clip === state.clip && one.dataset.id === state.id);
    }
  }

  audio.addEventListener("play", mark);
  audio.addEventListener("pause", mark);
  audio.addEventListener("error", () => {
    state.broken = true;
    name();
    mark();
  });

  // What the reader does.

  function onlyThese(ids) {
    filters.reset();
    state.ids = new Set(ids);
    state.page = 0;
    show();
    document.getElementById("utterances").scrollIntoView();
  }

  function turn(by) {
    state.page += by;
    show();
    found.scrollIntoView({ block: "center" });
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.switch) speak(button.dataset.switch);
    else if (button.dataset.clip) play(button.dataset.clip, button.dataset.id);
    else if (button.dataset.ids) onlyThese(JSON.parse(button.dataset.ids));
    else if (button.dataset.page) turn(Number(button.dataset.page));
  });
  filters.addEventListener("input", () => {
    state.page = 0;
    show();
  });
  aligned.addEventListener("change", show);
  filters.addEventListener("submit", (event) => event.preventDefault());
  filters.addEventListener("reset", () => {
    // The fields are empty only after this event.
    state.ids = null;
    state.page = 0;
    setTimeout(show);
  });

  showTimes();
  show();
})();

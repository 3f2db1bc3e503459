// The map of the library: plotly draws the points; topics, tools, selection and list are elements of the page.
// Titles are only ever set as text. Papers are known by their place in the lists that the server sent.
window.footnoteMap = (() => {
  const LISTED = 50;
  const SVG_POINTS = 3000; // more are drawn with WebGL, where there is any
  const COLOURS = 8;
  let map = null; // the state of the tab; null until it was opened

  const plural = (count) => (count === 1 ? "1 paper" : `${count.toLocaleString("en")} papers`);
  const find = (css) => map.root.querySelector(css);

  function make(tag, css, text) {
    const made = document.createElement(tag);
    if (css) made.className = css;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function loadScript(address) {
    if (window.Plotly) return Promise.resolve();
    return new Promise((done, failed) => {
      const script = make("script");
      script.src = address;
      script.onload = done;
      script.onerror = () => failed(new Error("the script that draws it did not load"));
      document.head.append(script);
    });
  }

  async function open(element, server, askOnly) {
    const root = element.querySelector(".fn-map");
    map = { root, server, askOnly, data: null, selected: new Set(), pressed: new Set(), cited: [], found: [] };
    root.addEventListener("click", clicked);
    find("input[type='search']").addEventListener("input", list);
    new MutationObserver(restyle).observe(document.body, { attributes: true, attributeFilter: ["class"] });
    await load();
  }

  async function load() {
    const what = find(".fn-map-what");
    const slow = setTimeout(() => (what.textContent = "Making the map; for a large library this takes a while, once…"), 3000);
    const [data, failed] = await Promise.all([
      map.server.map_points(),
      loadScript(map.root.dataset.script).catch((error) => error),
    ]);
    clearTimeout(slow);
    const trouble = data?.error ?? failed?.message ?? (data ? "" : "the server did not answer");
    const empty = !trouble && data.ids.length === 0; // perhaps only until the first ingest is done
    if (trouble || empty) {
      what.textContent = empty ? `${told(data)} ` : `There is no map: ${trouble} `;
      map.root.classList.toggle("fn-map-waiting", empty);
      const again = make("button", "", "Try again");
      again.type = "button";
      again.dataset.do = "again";
      what.append(again);
      return;
    }
    map.data = data;
    map.root.classList.remove("fn-map-waiting");
    what.textContent = told(data);
    find(".fn-map-plot").setAttribute("aria-label", `Map of ${plural(data.ids.length)} in ${data.topics.length} topics. The list of topics does the same by keyboard.`);
    legend();
    draw();
    mark();
    list();
  }

  function told(data) {
    if (!data.ids.length) return "The library is empty; there is nothing to map yet.";
    const shown = data.ids.length < data.papers ? `A sample of ${plural(data.ids.length)} of ${data.papers.toLocaleString("en")}` : plural(data.papers);
    return `${shown}, a point each: papers that are alike lie close together. Colour and shape show the topic. Drag over points to select them; click one to read about it.`;
  }

  function legend() {
    const items = map.data.topics.map((topic, number) => {
      const button = make("button");
      button.type = "button";
      button.dataset.topic = number;
      button.setAttribute("aria-pressed", "false");
      const sign = make("span", `fn-map-sign${number < COLOURS ? "" : " fn-map-diamond"}`);
      sign.style.setProperty("--sign", `var(--fn-topic-${number % COLOURS})`);
      const count = make("span", "fn-map-size", topic.size.toLocaleString("en"));
      count.setAttribute("aria-label", plural(topic.size));
      button.append(sign, make("span", "fn-map-name", topic.name), count);
      const item = make("li");
      item.append(button);
      return item;
    });
    find(".fn-map-topics").replaceChildren(...items);
  }

  // The picture.
  function colours() {
    const style = getComputedStyle(map.root);
    const read = (name) => style.getPropertyValue(name).trim();
    return {
      topics: Array.from({ length: COLOURS }, (_, number) => read(`--fn-topic-${number}`)),
      text: read("--fn-text"),
      surface: read("--fn-surface"),
    };
  }

  function hasWebGL() {
    try {
      return Boolean(document.createElement("canvas").getContext("webgl"));
    } catch {
      return false;
    }
  }

  const shape = (topic) => (topic < COLOURS ? "circle" : "diamond");

  function traces() {
    const { data, selected, cited } = map;
    const paint = colours();
    const many = data.ids.length > SVG_POINTS;
    const type = many && hasWebGL() ? "scattergl" : "scatter";
    const size = data.ids.length <= 600 ? 10 : many ? 4 : 7;
    const points = {
      type, mode: "markers", x: data.x, y: data.y, hoverinfo: "none",
      marker: {
        size,
        color: data.topic.map((topic) => paint.topics[topic % COLOURS]),
        symbol: data.topic.map(shape),
        line: { width: many ? 0 : 1, color: paint.surface },
        opacity: 0.9,
      },
      selectedpoints: selected.size ? [...selected] : null,
      selected: { marker: { opacity: 1 } },
      unselected: { marker: { opacity: 0.13 } },
    };
    const rings = {
      type, mode: "markers", x: cited.map((at) => data.x[at]), y: cited.map((at) => data.y[at]), hoverinfo: "skip",
      marker: { size: size + 12, color: paint.text, symbol: "circle-open", line: { width: 3, color: paint.text } },
      unselected: { marker: { opacity: 1 } },
    };
    const centres = {
      type, mode: "markers", x: rings.x, y: rings.y, hoverinfo: "skip",
      marker: {
        size: size + 4,
        color: cited.map((at) => paint.topics[data.topic[at] % COLOURS]),
        symbol: cited.map((at) => shape(data.topic[at])),
        line: { width: 1, color: paint.text },
      },
      unselected: { marker: { opacity: 1 } },
    };
    return [points, centres, rings];
  }

  function reach(values) {
    const [low, high] = values.reduce(([least, most], value) => [Math.min(least, value), Math.max(most, value)], [0, 0]);
    const margin = 0.06 * (high - low) + 10;
    return [low - margin, high + margin];
  }

  function draw() {
    const plot = find(".fn-map-plot");
    map.layout = {
      xaxis: { visible: false, range: reach(map.data.x) }, yaxis: { visible: false, range: reach(map.data.y) }, margin: { l: 0, r: 0, t: 0, b: 0 }, showlegend: false, dragmode: "select",
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", hovermode: "closest", hoverdistance: 12,
      newselection: { line: { color: colours().text, width: 1.5 } },
    };
    const config = { displayModeBar: false, displaylogo: false, responsive: true, doubleClick: false, showTips: false };
    window.Plotly.newPlot(plot, traces(), map.layout, config);
    plot.on("plotly_selected", (event) => {
      if (!event?.points || map.redrawing) return; // plotly tells of our own changes as well
      map.pressed.clear();
      choose(event.points.filter((point) => point.curveNumber === 0).map((point) => point.pointIndex));
    });
    plot.on("plotly_click", (event) => event.points[0]?.curveNumber === 0 && showPaper(event.points[0].pointIndex));
    plot.on("plotly_hover", (event) => event.points[0]?.curveNumber === 0 && tip(event.points[0].pointIndex, event.event));
    plot.on("plotly_unhover", () => (find(".fn-map-tip").hidden = true));
  }

  function restyle() {
    if (!map?.data?.ids.length) return;
    const plot = find(".fn-map-plot");
    if (!plot.data) return;
    map.layout.newselection = { line: { color: colours().text, width: 1.5 } };
    map.layout.selections = []; // the points say what is selected, not the outline that was drawn
    map.redrawing = true;
    window.Plotly.react(plot, traces(), map.layout).finally(() => (map.redrawing = false));
  }

  function tip(at, mouse) {
    const shown = find(".fn-map-tip");
    const frame = find(".fn-map-picture").getBoundingClientRect();
    shown.replaceChildren(make("strong", "", map.data.labels[at]), make("span", "", map.data.topics[map.data.topic[at]].name));
    shown.hidden = false;
    const x = Math.min(Math.max(mouse.clientX - frame.left + 14, 4), frame.width - shown.offsetWidth - 4);
    const below = mouse.clientY - frame.top + 18;
    const y = below + shown.offsetHeight > frame.height ? below - shown.offsetHeight - 32 : below;
    shown.style.transform = `translate(${Math.max(4, x)}px, ${Math.max(4, y)}px)`;
  }

  // The selection.
  function choose(places) {
    map.selected = new Set(places);
    for (const button of map.root.querySelectorAll("[data-topic]"))
      button.setAttribute("aria-pressed", String(map.pressed.has(Number(button.dataset.topic))));
    const count = map.selected.size;
    find(".fn-map-count").textContent = count ? `${plural(count)} selected.` : "No paper selected.";
    for (const button of map.root.querySelectorAll(".fn-map-chosen button")) button.disabled = count === 0;
    restyle();
    list();
  }

  function toggleTopic(number) {
    if (!map.pressed.delete(number)) map.pressed.add(number);
    const pressed = map.pressed;
    choose(map.data.topic.flatMap((topic, at) => (pressed.has(topic) ? [at] : [])));
  }

  // The papers of the selection, or of the whole library, as a list.
  function list() {
    if (!map?.data) return;
    const typed = find("input[type='search']").value.trim().toLowerCase();
    const from = map.selected.size ? [...map.selected] : map.data.ids.map((_, at) => at);
    const found = typed ? from.filter((at) => map.data.labels[at].toLowerCase().includes(typed)) : from;
    const where = map.selected.size ? "in the selection" : "on the map";
    const first = found.slice(0, LISTED);
    find(".fn-map-found").textContent =
      found.length > LISTED ? `${plural(found.length)} ${where}; the first ${LISTED} are listed.` : `${plural(found.length)} ${where}.`;
    find(".fn-map-papers").replaceChildren(
      ...first.map((at) => {
        const button = make("button", "", map.data.labels[at]);
        button.type = "button";
        button.dataset.paper = at;
        const item = make("li");
        item.append(button);
        return item;
      }),
    );
  }

  async function showPaper(at, { focus = false } = {}) {
    const card = find(".fn-map-card");
    map.wanted = at;
    const shown = await map.server.map_card(map.data.ids[at]);
    if (map.wanted !== at) return; // another was chosen meanwhile
    card.innerHTML = shown || "<p>This paper is no longer in the library.</p>"; // made safe by the server
    const quiet = matchMedia("(prefers-reduced-motion: reduce)").matches;
    card.scrollIntoView({ block: "nearest", behavior: quiet ? "auto" : "smooth" });
    if (focus) card.querySelector("h3")?.focus({ preventScroll: true });
  }

  // By this factor around the middle; 0 shows all.
  function zoom(by) {
    const { data, layout } = map;
    const scaled = ([low, high]) => [low, high].map((end) => (low + high) / 2 + ((end - (low + high) / 2) * by));
    const x = by ? scaled(layout.xaxis.range) : reach(data.x);
    const y = by ? scaled(layout.yaxis.range) : reach(data.y);
    window.Plotly.relayout(find(".fn-map-plot"), { "xaxis.range": x, "yaxis.range": y });
  }

  function useTool(button) {
    for (const tool of map.root.querySelectorAll("[data-tool]")) tool.setAttribute("aria-pressed", String(tool === button));
    window.Plotly.relayout(find(".fn-map-plot"), { dragmode: button.dataset.tool });
  }

  function clicked(event) {
    const button = event.target.closest("button");
    if (!button) return;
    const { topic, paper, tool, view, ask } = button.dataset;
    if (button.dataset.do === "again") load();
    else if (ask) map.askOnly([ask]);
    else if (!map.data?.ids.length) return;
    else if (topic !== undefined) toggleTopic(Number(topic));
    else if (paper !== undefined) showPaper(Number(paper), { focus: true });
    else if (tool) useTool(button);
    else if (view) zoom({ in: 0.6, out: 1 / 0.6, whole: 0 }[view]);
    else if (button.dataset.do === "clear") {
      map.pressed.clear();
      choose([]);
      find("[data-topic]").focus(); // for a button that is disabled loses the focus
    } else if (button.dataset.do === "ask") map.askOnly([...map.selected].map((at) => map.data.ids[at]));
  }

  // The papers of the answer in view; their ids are in the line above the map.
  let marks = null;
  function mark(element) {
    marks = element ?? marks;
    if (!map?.data?.ids.length || !marks) return;
    const ids = new Set((marks.querySelector("[data-ids]")?.dataset.ids ?? "").split(" "));
    map.cited = map.data.ids.flatMap((id, at) => (ids.has(id) ? [at] : []));
    restyle();
  }

  function focusQuestion() {
    requestAnimationFrame(() => document.querySelector("#fn-question textarea")?.focus());
  }

  return { open, mark, focusQuestion };
})();

// The papers tab: what its buttons and boxes say goes to the server as events; the view that comes back gets the focus.
window.footnotePapers = (() => {
  const EVENTS = { restrict: "restrict", ask: "restrict", show: "show" };

  function attach(element, trigger, watch) {
    let opened = ""; // id of the paper whose page is shown
    let ticks = 0; // changes of ticks so far; a view says how many of them it knows
    const changed = new Map(); // boxes by paper id, with the number of their change, until a view knows it
    const boxes = () => [...element.querySelectorAll("input[data-paper]")];
    const send = (said) => {
      const page = Object.fromEntries(boxes().map((box) => [box.dataset.paper, box.checked]));
      trigger(EVENTS[said.do] ?? "act", { ...said, boxes: page, ticks });
    };
    const tick = (these, ticked) => {
      ticks += 1;
      for (const box of these) {
        box.checked = ticked;
        changed.set(box.dataset.paper, { ticked, number: ticks });
      }
    };

    element.addEventListener("click", (event) => {
      const button = event.target.closest("button[data-do]");
      if (!button || button.getAttribute("aria-disabled") === "true") return;
      if (button.dataset.do === "untick") tick(boxes(), false);
      send({ do: button.dataset.do, to: button.dataset.to });
    });
    element.addEventListener("change", (event) => {
      if (!event.target.matches("input[type=checkbox]")) return;
      tick(event.target.matches("input[data-every]") ? boxes() : [event.target], event.target.checked);
      send({ do: "tick" });
    });

    // A view may have been on its way when a box was changed: what it does not know yet stays as it is.
    function showTicks() {
      const known = Number(element.querySelector("[data-ticks]")?.dataset.ticks ?? 0);
      for (const [paper, { number }] of changed) if (number <= known) changed.delete(paper);
      for (const box of boxes()) box.checked = changed.get(box.dataset.paper)?.ticked ?? box.dataset.ticked === "true";
      const every = element.querySelector("input[data-every]");
      if (every) every.checked = boxes().every((box) => box.checked);
    }

    function drawn() {
      showTicks();
      const now = element.querySelector("[data-opened]")?.dataset.opened ?? "";
      if (now === opened) return;
      const from = opened;
      opened = now;
      const target = now
        ? element.querySelector("h2")
        : element.querySelector(`button[data-do=open][data-to="${CSS.escape(from)}"]`) ?? element.querySelector("button");
      target?.focus({ preventScroll: true });
      if (now) element.closest("#fn-papers")?.scrollTo(0, 0);
      else target?.scrollIntoView({ block: "center" });
    }
    watch("value", drawn);

    // Each time the tab is opened, for the library may have changed meanwhile.
    new IntersectionObserver((seen) => seen.at(-1).isIntersecting && send({ do: "show" })).observe(element);
  }

  // The chat is on its way to the front: a box that is not shown takes no focus.
  function toTheQuestion(tries = 60) {
    const box = document.querySelector("#fn-question textarea");
    if (box?.offsetParent) box.focus();
    else if (tries > 0) requestAnimationFrame(() => toTheQuestion(tries - 1));
  }

  return { attach, toTheQuestion };
})();

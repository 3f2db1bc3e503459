// The papers tab: what its buttons and boxes say goes to the server as events; the view that comes back gets the focus.
window.footnotePapers = (() => {
  const EVENTS = { restrict: "restrict", ask: "restrict", tick: "tick", show: "show" };

  function attach(element, trigger, watch) {
    let opened = ""; // id of the paper whose page is shown
    const boxes = () => [...element.querySelectorAll("input[data-paper]")];
    const send = (said) => {
      const ticks = Object.fromEntries(boxes().map((box) => [box.dataset.paper, box.checked]));
      trigger(EVENTS[said.do] ?? "act", { ...said, ticks });
    };

    element.addEventListener("click", (event) => {
      const button = event.target.closest("button[data-do]");
      if (button && button.getAttribute("aria-disabled") !== "true") send({ do: button.dataset.do, to: button.dataset.to });
    });
    element.addEventListener("change", (event) => {
      if (event.target.matches("input[data-every]")) for (const box of boxes()) box.checked = event.target.checked;
      if (event.target.matches("input[type=checkbox]")) send({ do: "tick" });
    });

    function drawn() {
      for (const box of element.querySelectorAll("input[data-ticked]")) box.checked = box.dataset.ticked === "true";
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

// Links between an answer's markers and the cards of the evidence panel: one click handler for the page.
// Ids: #fn-TURN is the evidence of a turn, #fn-TURN-NUMBER a card, #fn-TURN-NUMBER-from the first marker.
window.footnote = (() => {
  const OURS = /^#fn-(\d+)(?:-\d+(?:-from)?)?$/;
  let panel = null;
  let showTurn = () => {};
  let awaited = null; // id of a card whose turn is on its way from the server

  function reveal(target) {
    panel?.querySelectorAll(".fn-marked").forEach((card) => card.classList.remove("fn-marked"));
    if (target.matches(".fn-card")) target.classList.add("fn-marked");
    if (!target.matches("a, [tabindex]")) target.tabIndex = -1;
    target.focus({ preventScroll: true });
    const quiet = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const quote = target.querySelector("mark");
    const tall = quote && target.offsetHeight > innerHeight * 0.6;
    (tall ? quote : target).scrollIntoView({ behavior: quiet ? "auto" : "smooth", block: tall ? "center" : "start" });
  }

  function open(href) {
    const match = OURS.exec(href);
    if (!match) return false;
    const target = document.getElementById(href.slice(1));
    if (target) reveal(target);
    else {
      awaited = href.slice(1);
      showTurn(Number(match[1]));
    }
    return true;
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href^='#fn-']");
    if (link && open(link.getAttribute("href"))) event.preventDefault();
  });

  // Gradio labels a message with its raw markup, which a screen reader would read out.
  const LABELS = { user: "Your question", bot: "Answer" };
  function label() {
    for (const message of document.querySelectorAll("#fn-chat [data-testid='user'], #fn-chat [data-testid='bot']")) {
      const wanted = LABELS[message.dataset.testid];
      if (message.getAttribute("aria-label") !== wanted) message.setAttribute("aria-label", wanted);
    }
  }

  return {
    // Called by the evidence panel once it is on the page; `show` asks the server for the evidence of a turn.
    attach(element, show) {
      panel = element;
      showTurn = show;
      // The chat may not be on the page yet, so the whole page is watched.
      new MutationObserver(label).observe(document.body, { childList: true, subtree: true, attributeFilter: ["aria-label"] });
      let shown = "";
      new MutationObserver(() => {
        const turn = element.querySelector(".fn-turn")?.id ?? "";
        if (turn !== shown) element.closest("#fn-evidence-column")?.scrollTo(0, 0);
        shown = turn;
        const target = awaited && document.getElementById(awaited);
        if (!target) return;
        awaited = null;
        reveal(target);
      }).observe(element, { childList: true, subtree: true, attributes: true, attributeFilter: ["id"] });
    },
  };
})();

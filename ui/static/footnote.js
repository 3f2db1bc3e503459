// The chat's own script: one click handler for the page. What it hears is said by ids and attributes that Python wrote:
// #fn-ID is the evidence of an exchange, #fn-ID-NUMBER a card, #fn-ID-NUMBER-from the first marker of it,
// #fn-do-NAME-ID something to be done; data-copy, data-save, data-download, data-open, ... are told below.
window.footnote = (() => {
  const OURS = /^#fn-(\d+)(?:-\d+(?:-from)?)?$/;
  const TODO = /^#fn-do-([a-z]+)-(\d+)$/;
  const BOX = "#fn-question textarea";
  const box = () => document.querySelector(BOX);
  const NARROW = matchMedia("(max-width: 900px)"); // as in footnote.css
  let panel = null;
  let tell = () => {}; // triggers an event of the evidence panel in Python
  let tellList = () => {}; // ... of the list of conversations
  let awaited = null; // id of a card whose evidence is on its way from the server
  let cameFrom = null; // what opened a drawer
  let comparing = false; // a table is on its way
  let heir = null; // selector of what takes the focus when what had it is gone

  // The evidence.

  function reveal(target) {
    panel?.querySelectorAll(".fn-marked").forEach((card) => card.classList.remove("fn-marked"));
    if (target.matches(".fn-card")) target.classList.add("fn-marked");
    if (panel?.contains(target)) openDrawer("evidence");
    else closeDrawers();
    if (!target.matches("a, [tabindex]")) target.tabIndex = -1;
    target.focus({ preventScroll: true });
    const quiet = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const quote = target.matches(".fn-card") && target.querySelector("mark");
    const tall = quote && target.offsetHeight > innerHeight * 0.6;
    (tall ? quote : target).scrollIntoView({ behavior: quiet ? "auto" : "smooth", block: tall ? "center" : "start" });
  }

  function follow(href) {
    const match = OURS.exec(href);
    if (!match) return false;
    const target = document.getElementById(href.slice(1));
    if (target) reveal(target);
    else {
      awaited = href.slice(1);
      tell("select", { exchange: Number(match[1]) });
    }
    return true;
  }

  // What can be done to an answer.

  function act(href) {
    const match = TODO.exec(href);
    if (!match) return false;
    const [name, exchange] = [match[1], Number(match[2])];
    if (name === "like" || name === "dislike") tell("like", { exchange, liked: name === "like" });
    else if (name === "copy" || name === "passport") tell("download", { exchange, kind: name });
    else tell(name, { exchange }); // retry, edit, compare, without
    comparing = name === "compare";
    if (name === "edit") box()?.focus();
    return true;
  }

  // Texts that the reader takes away: made where they are asked for, kept nowhere.

  async function copy(text, said) {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const box = Object.assign(document.createElement("textarea"), { value: text, ariaHidden: "true" });
      document.body.append(box);
      box.select();
      document.execCommand("copy"); // where a page without https may not use the clipboard
      box.remove();
    }
    announce(said ?? "Copied.");
  }

  function save(name, text, type) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    announce(`${name} was saved.`);
  }

  // There from the beginning: a screen reader speaks of changes only to what it knew before.
  const live = Object.assign(document.createElement("p"), { id: "fn-said", role: "status" });
  let silence = null;
  function announce(text, { seen = true } = {}) {
    live.className = seen ? "" : "fn-unseen";
    live.textContent = text;
    clearTimeout(silence);
    silence = setTimeout(() => (live.textContent = ""), 3000);
  }

  // Where the focus goes when what had it is gone.

  const GOING = ".fn-suggested, .fn-notice button, #fn-new, #fn-question button, [data-delete]";

  // What takes the focus if the redrawing after a click loses it.
  function heirOf(link, button) {
    if (button?.matches(GOING) || link?.matches("[href^='#fn-do-retry-'], [href^='#fn-do-without-']")) return BOX;
    if (button?.dataset.open) return "#fn-conversations [aria-current]";
    return link?.closest("#fn-chat") ? `#fn-chat a[href="${link.getAttribute("href")}"]` : null;
  }

  function refocus() {
    const table = comparing && document.querySelector("#fn-compared [data-exchange]");
    if (table?.offsetParent) {
      comparing = false;
      table.tabIndex = -1;
      table.focus({ preventScroll: true });
    }
    const next = heir && document.activeElement === document.body && document.querySelector(heir);
    if (next && next.offsetParent) next.focus({ preventScroll: true });
  }

  // Drawers of the narrow page.

  function openDrawer(name) {
    if (!NARROW.matches) return;
    document.getElementById("fn-columns").dataset.drawer = name;
    document.querySelector(`#fn-${name}-column .fn-drawer-close`).focus({ preventScroll: true });
  }

  function closeDrawers() {
    const columns = document.getElementById("fn-columns");
    if (!columns?.dataset.drawer) return;
    delete columns.dataset.drawer;
    cameFrom?.focus?.();
  }

  // The list of conversations.

  function rename(button) {
    const item = button.closest("li");
    const box = Object.assign(document.createElement("input"), { value: button.dataset.title, maxLength: 120, className: "fn-rename" });
    box.setAttribute("aria-label", "Title of the conversation");
    const name = item.querySelector(".fn-name-of");
    name.replaceWith(box);
    const done = () => {
      box.replaceWith(name); // the same title again is nothing that Python would draw
      tellList("edit", { id: button.dataset.rename, title: box.value });
    };
    box.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== "Escape") return;
      event.stopPropagation(); // the drawer around it stays open
      event.preventDefault(); // or the button that takes the focus would be pressed
      if (event.key === "Escape") box.value = button.dataset.title;
      box.blur();
      name.focus();
    });
    box.addEventListener("blur", done, { once: true });
    box.select();
  }

  function remove(button) {
    if (button.dataset.sure) return tellList("delete", { id: button.dataset.delete });
    button.dataset.sure = "yes";
    button.textContent = "Delete for good?";
    button.addEventListener("blur", () => {
      delete button.dataset.sure;
      button.textContent = "Delete";
    }, { once: true });
  }

  function showInChat(button) {
    const exchange = button.closest("[data-exchange]")?.dataset.exchange;
    [...document.querySelectorAll("#fn-tabs [role='tab']")].find((tab) => tab.dataset.tabId === "chat")?.click();
    const card = `#fn-${exchange}-${button.dataset.number}`;
    // What is not on the page yet takes no focus.
    const once = () => (document.getElementById("fn-columns")?.offsetParent ? follow(card) : requestAnimationFrame(once));
    if (exchange) once();
  }

  function press(button) {
    const given = button.dataset;
    if (given.copy !== undefined) copy(given.copy);
    else if (button.matches(".fn-compare-place")) showInChat(button);
    else if (given.save !== undefined) save(given.name, given.save, given.type ?? "text/plain");
    else if (given.question) {
      tell("ask", { question: given.question });
      box()?.focus();
    } else if (given.do && button.closest(".fn-notice")) tell(given.do, {}); // unedit, unrestrict; other tabs hear theirs
    else if (given.download) {
      tell("download", { kind: given.download });
      closeMenus();
    } else if (given.open) {
      tellList("select", { id: given.open });
      closeDrawers();
    } else if (given.rename) rename(button);
    else if (given.delete) remove(button);
    else if (given.drawer === "close") closeDrawers();
    else if (given.drawer) {
      cameFrom = button;
      openDrawer(given.drawer);
    }
  }

  function closeMenus() {
    for (const menu of document.querySelectorAll(".fn-menu[open]")) {
      if (menu.contains(document.activeElement)) menu.querySelector("summary").focus();
      menu.removeAttribute("open");
    }
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href^='#fn-']");
    const href = link?.getAttribute("href");
    const button = event.target.closest?.("button");
    if (link && !panel?.contains(link)) cameFrom = link;
    const touched = event.detail > 0 && matchMedia("(pointer: coarse)").matches; // the box would open the phone's keyboard
    heir = touched ? null : heirOf(link, button);
    if (link && (act(href) || follow(href))) return event.preventDefault();
    if (button) press(button);
    for (const menu of document.querySelectorAll(".fn-menu[open]")) if (!menu.contains(event.target)) menu.removeAttribute("open");
  });
  document.addEventListener("submit", (event) => {
    const form = event.target.closest?.("form[data-why]");
    if (!form) return;
    event.preventDefault();
    tell("why", { exchange: Number(form.dataset.why), reason: form.elements.reason.value });
    box()?.focus();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      closeMenus();
      closeDrawers();
    }
    if (event.key === " " && event.target.matches?.("a.fn-action")) {
      event.preventDefault();
      event.target.click();
    }
  });

  // What Gradio leaves unsaid: it labels a message with its raw markup, and its sanitizer takes roles away.
  const LABELS = { user: "Your question", bot: "Answer" };
  function set(element, name, value) {
    if (element.getAttribute(name) !== value) element.setAttribute(name, value);
  }
  let asked = 0; // questions in the log
  let writing = false;

  // Once, and not the whole log at each redrawing, which is what it would say by itself.
  function tellArrival() {
    const log = document.querySelector("#fn-chat [role='log']");
    const last = [...document.querySelectorAll("#fn-chat .fn-answer")].at(-1);
    if (log) set(log, "aria-live", "off");
    const ended = last?.querySelector(".fn-actions");
    if (writing && ended) {
      const told = [...last.querySelectorAll(".fn-error, .fn-cut, .fn-badge, .fn-open")].map((each) => each.textContent);
      announce(`Answer: ${told.join(", ")}`, { seen: false });
    }
    writing = Boolean(last) && !ended;
  }

  function label() {
    tellArrival();
    refocus();
    const questions = document.querySelectorAll("#fn-chat [data-testid='user']");
    // An answer is read from its beginning, below its question.
    if (questions.length > asked) questions[questions.length - 1].scrollIntoView({ block: "start" });
    asked = questions.length;
    for (const message of document.querySelectorAll("#fn-chat [data-testid='user'], #fn-chat [data-testid='bot']")) {
      set(message, "aria-label", LABELS[message.dataset.testid]);
      for (const action of message.querySelectorAll("a.fn-action")) {
        set(action, "role", "button");
        if (/^#fn-do-(dis)?like-/.test(action.getAttribute("href"))) set(action, "aria-pressed", String(action.matches(".fn-pressed")));
      }
    }
    const drawn = document.querySelector("#fn-bar [data-conversation]")?.dataset.conversation;
    if (!drawn) return; // Python has not read yet which conversation the address names
    const open = drawn === "none" ? "" : drawn;
    const address = new URL(location);
    if ((address.searchParams.get("c") ?? "") !== open) {
      if (open) address.searchParams.set("c", open);
      else address.searchParams.delete("c");
      history.replaceState(history.state, "", address);
    }
  }

  return {
    // What becomes of the box when Enter is pressed, as [the question, the box]; `running` shows Stop and empties it.
    take(typed, running) {
      const busy = document.querySelector("#fn-question .stop-button");
      return busy || !typed.trim() ? ["", typed] : [typed, running];
    },
    // Called by the evidence panel once it is on the page; `trigger` tells Python.
    attachEvidence(element, trigger) {
      panel = element;
      tell = trigger;
      document.body.append(live);
      // The chat may not be on the page yet, so the whole page is watched.
      new MutationObserver(label).observe(document.body, { childList: true, subtree: true, attributeFilter: ["aria-label", "data-conversation"] });
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
    attachConversations(element, trigger) {
      tellList = trigger;
    },
    // What Python hands over: {do, name, type, text}.
    deliver(parcel) {
      if (parcel?.do === "copy") copy(parcel.text);
      else if (parcel?.do === "save") save(parcel.name, parcel.text, parcel.type);
      else if (parcel?.do === "tell") announce(parcel.text);
    },
  };
})();

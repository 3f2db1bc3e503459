// Gradio's client ends the stream of its answers on the server's word that all have come. That word may be overtaken by
// the answer to its next request, on another connection: then the stream ends on which that event was to come, and
// what it brings is shown with some later event or never. Here the word is held back while anything is to come, and
// the stream goes on with another request. The other way round, an event may be there before the answer to its
// request: then Gradio opens a stream on which nothing is to come, and asks for no other one when that breaks.
(() => {
  const plain = window.fetch;
  const JOIN = "/queue/join";
  const DATA = "/queue/data";
  const ENDS = 'data: {"msg":"close_stream"';
  const DONE = /^data: {"msg":"process_completed","event_id":"(\w+)"/;
  const END = `${ENDS}}\n\n`;
  const asking = new Set(); // requests to which there is no answer yet
  const awaited = new Set(); // ids of events to come
  const early = new Set(); // ... that had come before the answer to their request

  async function answer(resource, options) {
    const response = await plain(resource, options);
    const said = await response.clone().json().catch(() => null);
    const id = said?.event_id;
    if (id && !early.delete(id)) awaited.add(id);
    return response;
  }

  async function join(resource, options) {
    const asked = answer(resource, options);
    asking.add(asked);
    try {
      return await asked;
    } finally {
      asking.delete(asked);
    }
  }

  async function moreIsToCome() {
    while (asking.size && !awaited.size) await Promise.race(asking).catch(() => {});
    return awaited.size > 0;
  }

  function note(message) {
    const id = DONE.exec(message)?.[1];
    if (id && !awaited.delete(id)) early.add(id);
  }

  async function* messages(response) {
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    try {
      for (let read = await reader.read(); !read.done; read = await reader.read()) {
        const parts = (rest + read.value).split("\n\n");
        rest = parts.pop();
        yield* parts;
      }
    } finally {
      reader.cancel().catch(() => {});
    }
  }

  async function* lasting(response, again) {
    try {
      for (let goesOn = true; goesOn; response = goesOn && (await again())) {
        goesOn = false;
        for await (const message of messages(response)) {
          note(message);
          goesOn = message.startsWith(ENDS) && (await moreIsToCome());
          if (!goesOn) yield `${message}\n\n`;
        }
      }
    } catch (error) {
      if (!awaited.size) return void (yield END); // nothing is lost, and the next event gets a stream of its own
      awaited.clear(); // what was to come comes no more: Gradio tells the reader
      throw error;
    }
  }

  async function data(resource, options) {
    if (!(await moreIsToCome())) return new Response(END);
    const response = await plain(resource, options);
    if (!response.ok) return response;
    const again = async () => {
      const next = await plain(resource, options);
      if (next.ok) return next;
      throw new Error(`The stream of answers cannot go on: ${next.status}`);
    };
    const stream = lasting(response, again);
    const encoder = new TextEncoder();
    const body = new ReadableStream({
      async pull(controller) {
        const { done, value } = await stream.next();
        if (done) controller.close();
        else controller.enqueue(encoder.encode(value));
      },
      cancel: () => stream.return(),
    });
    return new Response(body, { status: response.status, headers: response.headers });
  }

  window.fetch = (resource, options) => {
    const { pathname } = new URL(resource.url ?? resource, location);
    const ours = pathname.endsWith(JOIN) ? join : pathname.endsWith(DATA) ? data : plain;
    return ours(resource, options);
  };
})();

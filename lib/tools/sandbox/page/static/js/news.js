// Learns when something has changed. One window listens for all: a browser keeps no more than six connections to a
// server.
import { byId, refresh } from "./live.js";

const windows = new BroadcastChannel("tagorun-sandbox");

function changed(news) {
  refresh().catch((error) => {
    if (news !== "gone") return;
    const isSilent = error instanceof TypeError; // else it has answered, and is another one with another key
    byId("said").textContent = isSilent
      ? "The sandbox does not answer; start it again, open the address that it prints, and this page goes on too."
      : error.message;
  });
}

export function listen() {
  windows.onmessage = ({ data }) => changed(data);
  navigator.locks.request("tagorun-sandbox", () => {
    const tell = (news) => {
      windows.postMessage(news);
      changed(news);
    };
    const open = () => {
      const stream = new EventSource("/page/changes");
      stream.onmessage = ({ data }) => tell(data);
      stream.onerror = () => {
        tell("gone");
        stream.close(); // by itself a browser may give up for good
        setTimeout(open, 1000);
      };
    };
    open();
    return new Promise(() => {}); // until this window is closed
  });
}

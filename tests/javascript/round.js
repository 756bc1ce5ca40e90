// The official JavaScript SDK, unchanged, against the sandbox: users, notifications, a button press, the data of a
// device. Prints one JSON object of what it saw.
const { Resources, RunUser, Device, Utils } = require("@tago-io/sdk");

const { PROFILE_TOKEN, DEVICE_TOKEN, RUN_URL, ANALYSIS } = process.env;

async function main() {
  const resources = new Resources({ token: PROFILE_TOKEN, region: "env" });
  const filter = { active: true, tags: [{ key: "role", value: "supervisor" }] };
  const users = await resources.run.listUsers({ fields: ["id", "name", "tags"], filter, amount: 1, page: 2 });
  const all = await resources.run.listUsers({ fields: ["id", "name", "email"], amount: 100 });
  const ana = all.find((user) => user.name === "Ana Souza");
  const created = await resources.run.notificationCreate(ana.id, {
    title: "Hello",
    message: "World",
    buttons_autodisable: true,
    buttons: [{ id: "ack", label: "Ack", triggers: [{ analysis_id: ANALYSIS }] }],
  });
  const listed = await resources.run.notificationList(ana.id);
  const login = await RunUser.login(RUN_URL, { email: "ana@example.com", password: "sandbox" }, "env");
  const portal = new RunUser({ token: login.token, region: "env" });
  const inbox = await portal.notificationList(RUN_URL);
  await portal.notificationMarkRead(RUN_URL, [created.id]);
  const pressed = await portal.notificationButton(RUN_URL, created.id, "ack");
  const after = (await portal.notificationList(RUN_URL)).find((note) => note.id === created.id);
  const device = new Device({ token: DEVICE_TOKEN, region: "env" });
  const stored = await device.sendData([{ variable: "a", value: 1 }, { variable: "b", value: 2 }]);
  const read = await device.getData({ variables: ["b"], qty: 5 });
  const denied = await resources.run.userInfo("f".repeat(24)).catch((error) => String(error));
  console.log(JSON.stringify({ users, all: all.length, created, listed, inbox, pressed, after, stored, read, denied }));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});

// Every method of the official JavaScript SDK that a TagoRUN Analysis may use, each called once against the sandbox.
// Prints one JSON object: a method's name, and the result or {refused: its message}.
const { Account, Device, Resources, RunUser, Services } = require("@tago-io/sdk");

const { PROFILE_TOKEN, ANALYSIS_TOKEN, ANALYSIS, NETWORK, CONNECTOR, RUN_URL, PASSWORD } = process.env;
const saw = {};

async function call(name, asked) {
  saw[name] = await Promise.resolve()
    .then(asked)
    .catch((error) => ({ refused: error?.message ?? String(error) }));
  return saw[name];
}

async function users(resources) {
  await call("run.info", () => resources.run.info());
  await call("run.edit", () => resources.run.edit({ name: "Cold rooms" }));
  const given = { name: "Jane Doe", email: "jane@example.com", password: "secret-1", timezone: "UTC", active: true };
  const { user } = await call("run.userCreate", () => resources.run.userCreate(given));
  await call("run.userEdit", () => resources.run.userEdit(user, { tags: [{ key: "group", value: "new" }] }));
  await call("run.userInfo", () => resources.run.userInfo(user));
  const filter = { tags: [{ key: "group", value: "new" }] };
  await call("run.listUsers", () => resources.run.listUsers({ fields: ["id", "name", "tags"], filter }));
  await call("run.loginAsUser", () => resources.run.loginAsUser(user, { expire_time: "1 hour" }));
  return user;
}

async function notifications(resources, user) {
  const button = { id: "ack", label: "Ack", color: "green", triggers: [{ analysis_id: ANALYSIS }] };
  const given = { title: "Hello", message: "World", buttons: [button], buttons_autodisable: true };
  const { id } = await call("run.notificationCreate", () => resources.run.notificationCreate(user, given));
  await call("run.notificationList", () => resources.run.notificationList(user));
  await call("run.notificationEdit", () => resources.run.notificationEdit(id, { message: "Everybody" }));
  const login = await call("RunUser.login", () =>
    RunUser.login(RUN_URL, { email: "jane@example.com", password: "secret-1" }, "env"),
  );
  const portal = new RunUser({ token: login.token, region: "env" });
  await call("RunUser.info", () => portal.info(RUN_URL));
  await call("RunUser.notificationMarkRead", () => portal.notificationMarkRead(RUN_URL, [id]));
  await call("RunUser.notificationMarkUnread", () => portal.notificationMarkUnread(RUN_URL, [id]));
  await call("RunUser.notificationMarkAllRead", () => portal.notificationMarkAllRead(RUN_URL));
  await call("RunUser.notificationButton", () => portal.notificationButton(RUN_URL, id, "ack"));
  await call("RunUser.notificationList", () => portal.notificationList(RUN_URL));
  await call("RunUser.notificationDelete", () => portal.notificationDelete(RUN_URL, id));
  const second = await resources.run.notificationCreate(user, { title: "Second", message: "m" });
  await call("run.notificationDelete", () => resources.run.notificationDelete(second.id));
}

async function analyses(resources) {
  const given = { name: "Made here", runtime: "node-rt2025", tags: [{ key: "made", value: "here" }] };
  const { id } = await call("analysis.create", () => resources.analysis.create(given));
  await call("analysis.edit", () => resources.analysis.edit(id, { variables: [{ key: "a", value: "1" }] }));
  const content = Buffer.from("console.log('it ran')").toString("base64");
  const script = { content, name: "made.js", language: "node-rt2025" };
  await call("analysis.uploadScript", () => resources.analysis.uploadScript(id, script));
  await call("analysis.run", () => resources.analysis.run(id, []));
  await call("analysis.downloadScript", () => resources.analysis.downloadScript(id));
  for (let tries = 0; tries < 100 && !(await resources.analysis.info(id)).console?.length; tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await call("analysis.info", () => resources.analysis.info(id));
  await call("analysis.list", () => resources.analysis.list({ filter: { name: "Made*" } }));
  await call("analysis.delete", () => resources.analysis.delete(id));
}

async function devices(resources) {
  const given = { name: "Fridge", type: "mutable", network: NETWORK, connector: CONNECTOR };
  const { device_id, token } = await call("devices.create", () => resources.devices.create(given));
  await call("devices.edit", () => resources.devices.edit(device_id, { tags: [{ key: "kind", value: "fridge" }] }));
  await call("devices.info", () => resources.devices.info(device_id));
  await call("devices.list", () => resources.devices.list({ fields: ["id"], filter: { name: "Fridge" } }));
  await call("devices.tokenList", () => resources.devices.tokenList(device_id));
  const more = { name: "More", permission: "full" };
  const made = await call("devices.tokenCreate", () => resources.devices.tokenCreate(device_id, more));
  await call("devices.tokenDelete", () => resources.devices.tokenDelete(made.token));
  await call("devices.paramSet", () => resources.devices.paramSet(device_id, { key: "k", value: "v", sent: false }));
  const [param] = await call("devices.paramList", () => resources.devices.paramList(device_id));
  await call("devices.paramRemove", () => resources.devices.paramRemove(device_id, param.id));

  const device = new Device({ token, region: "env" });
  const rows = [1, 2, 3].map((value) => ({ variable: "temperature", value, group: "g", metadata: { m: value } }));
  await call("Device.info", () => device.info());
  await call("Device.sendData", () => device.sendData(rows));
  await call("Device.getData", () => device.getData({ variables: ["temperature"], qty: 2 }));
  await call("Device.getData last_item", () => device.getData({ variables: ["temperature"], query: "last_item" }));
  await call("Device.getData count", () => device.getData({ variables: ["temperature"], query: "count" }));
  await call("devices.amount", () => resources.devices.amount(device_id));
  const [row] = await call("devices.getDeviceData", () => resources.devices.getDeviceData(device_id, { qty: 1 }));
  await call("devices.editDeviceData", () => resources.devices.editDeviceData(device_id, { id: row.id, value: 9 }));
  const fromAnalysis = new Resources({ token: ANALYSIS_TOKEN, region: "env" });
  const sent = { variable: "b", value: 1 };
  await call("devices.sendDeviceData", () => fromAnalysis.devices.sendDeviceData(device_id, sent));
  await call("devices.sendDeviceData, no right", () => resources.devices.sendDeviceData(device_id, sent));
  await call("devices.deleteDeviceData", () => resources.devices.deleteDeviceData(device_id, { groups: "g" }));
  await call("devices.emptyDeviceData", () => resources.devices.emptyDeviceData(device_id));
  return device_id;
}

async function actions(resources, device) {
  const trigger = { device, variable: "temperature", is: ">", value: "35", value_type: "number", unlock: false };
  const given = { name: "Hot", type: "condition", trigger: [trigger], action: { type: "script", script: [ANALYSIS] } };
  const { action } = await call("actions.create", () => resources.actions.create(given));
  await call("actions.edit", () => resources.actions.edit(action, { active: false }));
  await call("actions.info", () => resources.actions.info(action));
  await call("actions.list", () => resources.actions.list({ filter: { name: "Hot" } }));
  await call("actions.delete", () => resources.actions.delete(action));
}

async function policies(resources) {
  const allow = (action) => ({ effect: "allow", action, resource: ["run_user"] });
  const given = { name: "Told", targets: [["analysis", "id", ANALYSIS]], permissions: [allow(["access"])] };
  const { am_id } = await call("accessManagement.create", () => resources.accessManagement.create(given));
  const more = { permissions: [allow(["access", "create_notification"])] };
  await call("accessManagement.edit", () => resources.accessManagement.edit(am_id, more));
  await call("accessManagement.info", () => resources.accessManagement.info(am_id));
  await call("accessManagement.list", () => resources.accessManagement.list({ filter: { name: "Told" } }));
  await call("accessManagement.delete", () => resources.accessManagement.delete(am_id));
}

async function profile(resources) {
  await call("account.info", () => resources.account.info());
  await call("profiles.list", () => resources.profiles.list());
  await call("profiles.info", () => resources.profiles.info("current"));
  await call("profiles.summary", () => resources.profiles.summary("current"));
  await call("profiles.usageStatisticList", () => resources.profiles.usageStatisticList("current"));
  const { id } = await call("secrets.create", () => resources.secrets.create({ key: "KEY", value: "v", tags: [] }));
  await call("secrets.list", () => resources.secrets.list());
  await call("secrets.info", () => resources.secrets.info(id));
  await call("secrets.edit", () => resources.secrets.edit(id, { value: "w" }));
  await call("secrets.delete", () => resources.secrets.delete(id));
  const own = await call("notifications.create", () => resources.notifications.create({ title: "t", message: "m" }));
  await call("notifications.list", () => resources.notifications.list());
  await call("notifications.markAsRead", () => resources.notifications.markAsRead(own.id));
  await call("notifications.markAllAsRead", () => resources.notifications.markAllAsRead());
  await call("notifications.remove", () => resources.notifications.remove(own.id));
  const services = new Services({ token: ANALYSIS_TOKEN, region: "env" });
  await call("Services.console.log", () => services.console.log("from the console service"));
  await call("Services.Notification.send", () => services.Notification.send({ title: "t", message: "m" }));
  const known = { email: "developer@example.com", password: PASSWORD };
  await call("Account.login", () => Account.login(known, "env"));
}

async function main() {
  const resources = new Resources({ token: PROFILE_TOKEN, region: "env" });
  const user = await users(resources);
  await notifications(resources, user);
  await analyses(resources);
  const device = await devices(resources);
  await actions(resources, device);
  await policies(resources);
  await profile(resources);
  await call("devices.delete", () => resources.devices.delete(device));
  await call("run.userDelete", () => resources.run.userDelete(user));
  console.log(JSON.stringify(saw));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});

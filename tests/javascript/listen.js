// An external Analysis in the official JavaScript SDK, unchanged: it notifies the users who carry the tag that its
// environment variables name.
const { Analysis, Resources, Utils } = require("@tago-io/sdk");

async function notify(context) {
  const environment = Utils.envToJson(context.environment);
  const resources = new Resources({ token: context.token, region: "env" });
  const filter = { active: true, tags: [{ key: environment.tag_key, value: environment.tag_value }] };
  const users = await resources.run.listUsers({ fields: ["id", "name"], filter, amount: 100 });
  for (const user of users) {
    await resources.run.notificationCreate(user.id, {
      title: "From JavaScript",
      message: `Hello ${user.name}`,
      buttons: [{ id: "ok", label: "OK", color: "green", triggers: [{ analysis_id: process.env.T_ANALYSIS_ID }] }],
      buttons_autodisable: true,
    });
  }
  context.log(`Notified ${users.length} users; pressed: ${environment.button_id ?? "nothing"}`);
}

Analysis.use(notify, { token: process.env.T_ANALYSIS_TOKEN, region: "env" });

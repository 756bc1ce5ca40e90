// What the installer made, read back by the official JavaScript SDK.
const { Resources } = require("@tago-io/sdk");

async function main() {
  const resources = new Resources({ token: process.env.PROFILE_TOKEN, region: "env" });
  const query = { fields: ["id", "name", "tags"], filter: { tags: [{ key: "installed_by", value: "tagorun-notify" }] } };
  const [analysis] = await resources.analysis.list(query);
  const [action] = await resources.actions.list(query);
  const [policy] = await resources.accessManagement.list(query);
  const [device] = await resources.devices.list(query);
  console.log(
    JSON.stringify({
      analysis: await resources.analysis.info(analysis.id),
      action: await resources.actions.info(action.id),
      policy: await resources.accessManagement.info(policy.id),
      device: await resources.devices.info(device.id),
    }),
  );
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});

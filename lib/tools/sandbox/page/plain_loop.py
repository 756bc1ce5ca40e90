"""The loop with try and except as many write it today, with the official SDK; the page runs it for comparison."""
# mypy: ignore-errors

import time

from tagoio_sdk import Analysis, Resources


def notify(context, scope):
    resources = Resources({"token": context.token})
    variables = {each["key"]: each["value"] for each in context.environment}
    tries = int(variables["tries"])
    temperature = scope[0]["value"] if scope else 9
    users = resources.run.listUsers({"page": 1, "amount": 1000, "fields": ["id", "name"], "filter": {"active": True}})
    for user in users:
        for _ in range(tries):
            try:
                resources.run.notificationCreate(
                    user["id"],
                    {"title": "A fridge is warm", "message": f"It is at {temperature} °C. Please check the door."},
                )
                print(f"Told {user['name']}")
                break
            except Exception as error:
                print(f"Could not tell {user['name']}: {error}")
                if tries > 1:
                    time.sleep(1)


Analysis.use(notify, {"token": ""})

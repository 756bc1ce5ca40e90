"""TagoIO's rate limits, by plan (D docs rate-limits-hard-limits.md): requests a minute, per profile and route.

Only what that table prints; the routes that it leaves out (...) have no limit here.
"""

PLANS = ("free", "starter", "scale")
NOTIFY = ("POST", "/run/notification")

_WRITES = "60 100 1000"
_TABLE = f"""
POST   /device                    10 250 5000
DELETE /device/{{id}}             10 250 5000
GET    /device                    50 100 500
GET    /device/{{id}}             100 1000 5000
GET    /device/token/{{id}}       100 1000 5000
GET    /device/{{id}}/data_amount 100 1000 5000
GET    /device/{{id}}/params      100 1000 5000
PUT    /device/{{id}}             50 250 2000
POST   /device/token              50 250 2000
DELETE /device/token/{{token}}    50 250 2000
POST   /device/{{id}}/empty       50 250 2000
GET    /data                      250 5000 15000
POST   /data                      250 5000 15000
PUT    /data                      60 250 1000
DELETE /data                      60 250 1000
GET    /account                   50 100 500
POST   /analysis                  {_WRITES}
PUT    /analysis/{{id}}           {_WRITES}
DELETE /analysis/{{id}}           {_WRITES}
POST   /analysis/{{id}}/upload    {_WRITES}
GET    /analysis                  60 1000 2000
POST   /action                    {_WRITES}
PUT    /action/{{id}}             {_WRITES}
DELETE /action/{{id}}             {_WRITES}
POST   /notification              {_WRITES}
PUT    /notification/{{id}}/{{button}} {_WRITES}
POST   /run/notification          {_WRITES}
POST   /run/users                 {_WRITES}
PUT    /run/users/{{id}}          {_WRITES}
POST   /am                        60 100 200
PUT    /am/{{id}}                 60 100 200
GET    /info                      60 5000 10000
"""

LIMITS: dict[tuple[str, str], dict[str, int]] = {
    (method, path): dict(zip(PLANS, map(int, numbers), strict=True))
    for method, path, *numbers in map(str.split, _TABLE.strip().splitlines())
}

"""What Schemathesis needs to know beyond the document: texts of our formats, how to log in, and which requests are not
valid for reasons that JSON Schema cannot express.

ORDERFLOW_URL is the server; ORDERFLOW_LOGIN and ORDERFLOW_PASSWORD are those of an admin; ORDERFLOW_CLIENT_ID and
ORDERFLOW_CLIENT_SECRET those of a machine client; ORDERFLOW_PERSON is the id of a person; ORDERFLOW_POSITION is a position
that the server has reached. With ORDERFLOW_OWN_ACCOUNTS every call has an account of its own.
"""

import json
import os
import unicodedata
import uuid

import requests
import schemathesis
from hypothesis import strategies as st

URL = os.environ["ORDERFLOW_URL"]
LOGIN = {"login": os.environ["ORDERFLOW_LOGIN"], "password": os.environ["ORDERFLOW_PASSWORD"]}
PERSON = os.environ["ORDERFLOW_PERSON"]
STATUSES = ["CREATED", "RESERVED", "ACCEPTED", "PREPARED", "SHIPPED", "DELIVERED", "FAILED", "EXPIRED", "CANCELED"]
ETAGS = ["*", '"1"', '"2"', 'W/"2", "3"']
VISIBLE = st.characters(
    codec="utf-8", exclude_categories=["Cc", "Cf", "Cn", "Co", "Cs", "Zs", "Zl", "Zp"]
)


def names(longest):
    """Visible texts in normalization form C."""
    texts = st.text(VISIBLE, min_size=1, max_size=longest)
    texts = texts.map(lambda text: unicodedata.normalize("NFC", text))
    return texts.filter(lambda text: text not in (".", "..") and len(text.encode()) <= 64)


def lines():
    """Bodies of lines, valid ones and others."""
    sku = st.sampled_from(["A123", "B-7", "größe-42"])
    order = st.fixed_dictionaries(
        {
            "customer_id": names(6),
            "idempotency_key": st.uuids().map(str),
            "currency": st.just("EUR"),
            "lines": st.lists(
                st.fixed_dictionaries(
                    {"sku": sku, "quantity": st.integers(1, 9), "unit_price": st.integers(0, 999)}
                ),
                min_size=1,
                max_size=3,
            ),
        }
    )
    receipt = st.fixed_dictionaries({"sku": sku, "quantity": st.integers(1, 1000)})
    product = st.fixed_dictionaries(
        {"sku": sku, "name": names(9), "unit_price": st.integers(0, 999), "currency": st.just("EUR")}
    )
    line = st.one_of(order, receipt, product).map(json.dumps) | st.text(VISIBLE, max_size=20)
    return st.lists(line, max_size=6).map("\n".join)


schemathesis.openapi.format("name", names(12))
schemathesis.openapi.format("visible", names(20))
schemathesis.openapi.format("status", st.sampled_from(STATUSES))
schemathesis.openapi.format("etags", st.sampled_from(ETAGS))
schemathesis.openapi.format("idempotency-key", st.uuids().map(str))
schemathesis.openapi.format("position", st.sampled_from([os.environ["ORDERFLOW_POSITION"]]))
# A cursor is good for the list that it came from; stateful tests follow them.
schemathesis.openapi.format("cursor", st.nothing())
schemathesis.openapi.format("password", st.uuids().map(lambda word: f"kettle {word.hex[:12]}"))
schemathesis.openapi.format("ndjson", lines())


@schemathesis.serializer("application/x-ndjson")
def send_lines(ctx, value):
    return value if isinstance(value, bytes) else str(value).encode(errors="replace")


@schemathesis.deserializer("application/x-ndjson")
def read_lines(ctx, response):
    text = response.content.decode()
    for line in text.splitlines():
        json.loads(line)
    return text


@schemathesis.hook
def map_query(ctx, query):
    """Pages reach 10,000 items."""
    if not isinstance(query, dict):
        return query
    page, limit = query.get("page"), query.get("limit", 50)
    if isinstance(page, int) and isinstance(limit, int) and 1 <= page <= 10_000 and 1 <= limit <= 1_000:
        query["page"] = min(page, 10_000 // limit)
    return query


LAST = {"position": os.environ["ORDERFLOW_POSITION"]}


@schemathesis.hook
def after_call(ctx, case, response):
    """What a write says about its position."""
    for position in response.headers.get("orderflow-position", []):
        LAST["position"] = position


@schemathesis.hook
def before_call(ctx, case, kwargs):
    """Reads wait for the last write, as a client does that reads what it wrote; `batch` in a path is another operation;
    and the accounts of this run stay as they are.
    """
    if case.meta is not None and case.meta.generation.mode.is_positive:
        make_acceptable(case)
    if case.method == "GET":
        case.headers.setdefault("Orderflow-Min-Position", LAST["position"])
    parameters = case.path_parameters
    if isinstance(parameters, dict):
        if parameters.get("sku") == "batch":
            parameters["sku"] = "A123"
        if parameters.get("id") in (AccessToken.account, PERSON):
            parameters["id"] = str(uuid.uuid4())
        if case.operation.label == "POST /users/{id}/reset" and is_uuid(parameters.get("id")):
            parameters["id"] = PERSON


def is_uuid(text):
    try:
        return str(uuid.UUID(text)) == text
    except (AttributeError, TypeError, ValueError):
        return False


def make_affordable(lines):
    """The lines of an order together cost at most 2^53 - 1."""
    for line in lines if isinstance(lines, list) else []:
        price = line.get("unit_price") if isinstance(line, dict) else None
        if isinstance(price, (int, float)) and 0 <= price <= 10**12:
            line["unit_price"] = price % 1_000_000


def make_placeable(order):
    """Orders of the default lifecycle are for SKUs, and hold stock within its bounds."""
    if order.get("customer_id") is None:
        order["customer_id"] = "c-17"
    if order.get("currency") is None:
        order["currency"] = "EUR"
    if order.get("reserve_for") is not None:
        order["reserve_for"] = max(60, min(int(order["reserve_for"]), 2_592_000))
    for line in order["lines"]:
        line.pop("item", None)
        if line.get("sku") is None:
            line["sku"] = "A123"


def make_acceptable(case):
    """What the server accepts depends on its lifecycle, and formats are not in what comes from other answers."""
    label, body = case.operation.label, case.body
    for name in list(case.headers or {}):
        if name.lower() in ("if-match", "if-none-match") and case.headers[name] not in ETAGS:
            case.headers[name] = "*"
        if name.lower() == "orderflow-min-position":
            case.headers[name] = LAST["position"]
    if label == "POST /orders":
        make_placeable(body)
    if label == "PATCH /orders/{id}/status" and body["status"] not in STATUSES:
        body["status"] = "CANCELED"


@schemathesis.hook
def map_case(ctx, case):
    """Rules between the parts of a request; and secrets that are right, in one call of two."""
    label, body = case.operation.label, case.body
    if label == "GET /orders/user/{id}" and isinstance(case.query, dict):
        case.query.pop("customer_id", None)
    if not isinstance(body, dict):
        return case
    is_even = len(str(body)) % 2 == 0
    make_affordable(body.get("lines"))
    if "idempotency_key" in body:
        for name in [name for name in case.headers or {} if name.lower() == "idempotency-key"]:
            del case.headers[name]
    are_texts = all(isinstance(text, (str, type(None))) for text in body.values())
    if label == "POST /auth/login" and set(body) == set(LOGIN) and are_texts and is_even:
        case.body = dict(LOGIN)
    if label == "POST /oauth/token" and body.get("grant_type") == "client_credentials" and are_texts:
        case.body = {
            "grant_type": "client_credentials",
            "client_id": os.environ["ORDERFLOW_CLIENT_ID"],
            "client_secret": os.environ["ORDERFLOW_CLIENT_SECRET"],
        }
    if label == "POST /auth/password" and isinstance(body.get("current_password"), str) and is_even:
        body["current_password"] = LOGIN["password"]
    if label == "PATCH /auth/profile" and isinstance(body.get("current_password", ""), (str, type(None))):
        body["current_password"] = LOGIN["password"]
    return case


def log_in(login):
    answer = requests.post(URL + "/auth/login", json=login, timeout=30)
    answer.raise_for_status()
    return answer.json()["access_token"]


class AccessToken:
    """The token of the admin, renewed long before it ends."""

    account = None

    def get(self, case, context):
        token = log_in(LOGIN)
        headers = {"Authorization": f"Bearer {token}"}
        AccessToken.account = requests.get(URL + "/auth/profile", headers=headers, timeout=30).json()["id"]
        return token

    def set(self, case, data, context):
        case.headers["Authorization"] = f"Bearer {data}"


class OwnToken(AccessToken):
    """The token of a new person for every call: these calls end log-ins and change passwords."""

    def get(self, case, context):
        person = {"email": f"{uuid.uuid4()}@example.com", "name": "A Person", "password": LOGIN["password"]}
        requests.post(URL + "/auth/register", json=person, timeout=30).raise_for_status()
        return log_in({"login": person["email"], "password": person["password"]})


if os.environ.get("ORDERFLOW_OWN_ACCOUNTS"):
    schemathesis.auth(refresh_interval=None)(OwnToken)
else:
    schemathesis.auth(refresh_interval=600)(AccessToken)

"""What Schemathesis needs to know beyond the document: texts of our formats, and how to log in.

ORDERFLOW_LOGIN and ORDERFLOW_PASSWORD are those of an admin.
"""

import os
import unicodedata

import requests
import schemathesis
from hypothesis import strategies as st

VISIBLE = st.characters(
    codec="utf-8", exclude_categories=["Cc", "Cf", "Cn", "Co", "Cs", "Zs", "Zl", "Zp"]
)


def names(longest):
    """Names of at most 4 bytes a character, in normalization form C."""
    texts = st.text(VISIBLE, min_size=1, max_size=longest)
    texts = texts.map(lambda text: unicodedata.normalize("NFC", text))
    return texts.filter(lambda text: text not in (".", "..") and len(text.encode()) <= 64)


schemathesis.openapi.format("name", names(12))
schemathesis.openapi.format("visible", names(20))
schemathesis.openapi.format("etags", st.sampled_from(["*", '"1"', '"2"', 'W/"2", "3"']))
schemathesis.openapi.format("position", st.sampled_from(["orders.commands:0@0", "stock.commands:0@0"]))
# A cursor is of the list that it came from, and only an answer has one.
schemathesis.openapi.format("cursor", st.nothing())
schemathesis.openapi.format(
    "password", st.uuids().map(lambda word: f"kettle {word.hex[:12]}")
)


@schemathesis.auth(refresh_interval=600)
class AccessToken:
    """The token of an admin, renewed long before it ends."""

    def get(self, case, context):
        url = os.environ["ORDERFLOW_URL"] + "/auth/login"
        body = {"login": os.environ["ORDERFLOW_LOGIN"], "password": os.environ["ORDERFLOW_PASSWORD"]}
        answer = requests.post(url, json=body, timeout=30)
        answer.raise_for_status()
        return answer.json()["access_token"]

    def set(self, case, data, context):
        case.headers["Authorization"] = f"Bearer {data}"

"""Give a user a session, and take it away: python one_session.py http://localhost:8080 7   (docs/client.md)"""

import os
import sys

from controller.client import CallFailed, Client


def main(server: str, user_id: int) -> None:
    client = Client(server, token=os.environ.get("MCM_TOKEN", ""))
    session_id = f"example-{os.getpid()}"  # whoever destroys it by this name destroys no other
    client.create(user_id, session_id)
    try:
        client.wait_ready(user_id)
        print(f"User {user_id}'s session is ready: {client.user(user_id)['access_url']}")
    finally:
        print(client.destroy(user_id, session_id)["message"])


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        main(sys.argv[1], int(sys.argv[2]))
    except CallFailed as error:
        sys.exit(f"error: {' '.join(filter(None, (str(error), error.hint)))}")

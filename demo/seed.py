"""Create the stack and load the sample conversations, for `make up` and the `seed` service of docker-compose.yaml."""

import sys

from demo.load import load_conversations

if __name__ == "__main__":
    print(f"{load_conversations(sys.argv[1])} conversations loaded.")

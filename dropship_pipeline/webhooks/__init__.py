"""The receiver of push messages: verify, store, acknowledge. What is done about a message is `sync.inbox`'s."""

"""Say what to do next."""

print({{ _message_after_copy | python }})

"""Webhook applications that drive calls: jambonz verbs in JSON, and TwiML."""

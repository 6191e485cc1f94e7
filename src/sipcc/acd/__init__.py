"""Who answers: agents, queues, strategies, the router."""

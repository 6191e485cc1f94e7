"""A queue strategy of one's own: the agent with the highest level of a skill is asked first.

A strategy is a class that is installed under a name in the entry-point group ``sipcc.strategies``. In the
`pyproject.toml` of a package of yours, with this file in it as `most_skilled.py`:

    [project.entry-points."sipcc.strategies"]
    most-skilled = "most_skilled:MostSkilled"

Install that package beside sipcc, write ``strategy = "most-skilled"`` for a queue and
``skills = { english = 9 }`` for its agents, start `sipccd run` and dial the number of that queue.
"""

from collections.abc import Sequence

from sipcc.acd import Agent, Turn


class MostSkilled:
    """The best in `skill`; among equals the one that has been idle the longest.

    A strategy is pure: it decides from its arguments alone, so it can be tested without a switch.
    """

    rings_all = False
    skill = "english"

    def choose(self, agents: Sequence[Agent], turn: Turn) -> Sequence[str]:
        """The name of the agent to ring; `agents` are those that are free, never none."""
        best = min(agents, key=lambda agent: (-agent.settings.skills.get(self.skill, 0), agent.idle_since))
        return (best.name,)

"""Checks of the operator's table of prompts: what it says, files that are not there, gaps of languages."""

from __future__ import annotations

from pathlib import Path as FilePath

from sipcc.config.schema import Config
from sipcc.ivr.prompts import LIVE, PromptCatalogue
from sipcc.ivr.prompttable import PromptTable, load_table
from sipcc.reading.convert import did_you_mean
from sipcc.reading.findings import Report


def checked_catalogue(config: Config, report: Report) -> PromptCatalogue:
    """The prompts of `config` as a check sees them; what is wrong with the table itself goes to `report`."""
    table, found = load_table(FilePath(config.ivr.prompts))
    if not found.failed:
        _check_entries(config, table, found)
    catalogue = PromptCatalogue(config.ivr, table=table, live=_Queues(config))
    if not found.failed:
        _check_gaps(config, catalogue, found)
    report.findings += found.sorted()
    return catalogue


def catalogue_of(config: Config) -> PromptCatalogue:
    """The same, where the table itself was checked before."""
    return PromptCatalogue(
        config.ivr, table=load_table(FilePath(config.ivr.prompts))[0], live=_Queues(config)
    )


class _Queues:
    """Knows which queues there are, and lets them be empty; a `sipcc.ivr.prompts.LiveValues`."""

    def __init__(self, config: Config) -> None:
        self._names = [queue.name for queue in config.queues]

    def value(self, name: str) -> tuple[str, object]:
        """Nothing, for each value of a queue that there is."""
        queue, _, what = name.removeprefix("queue:").rpartition(":")
        if what not in ("length", "wait") or not queue:
            raise ValueError(f"{name!r} tells nothing: queue:NAME:length and queue:NAME:wait do")
        if queue not in self._names:
            raise ValueError(f"there is no queue {queue!r}; {did_you_mean(queue, self._names)}")
        return "number", 0


def _check_entries(config: Config, table: PromptTable, report: Report) -> None:
    queues = _Queues(config)
    for name, prompt in table.entries.items():
        for language, entry in prompt.items():
            place = FilePath(config.ivr.prompts) / entry.file
            if entry.file and not place.is_file():
                report.error(
                    (name, language), f"there is no file {str(place)!r}", "put it there, or write a text"
                )
            elif len(entry.text) > config.speech.longest:
                report.error(
                    (name, language),
                    f"the text has {len(entry.text)} characters, more than {config.speech.longest}",
                    "cut it in two prompts, or raise [speech] longest",
                )
            for told in LIVE.findall(entry.text):
                try:
                    queues.value(told)
                except ValueError as error:
                    report.error((name, language), str(error))


def _check_gaps(config: Config, catalogue: PromptCatalogue, report: Report) -> None:
    """Languages that some prompt has and another has not."""
    languages = dict.fromkeys([*catalogue.table.languages, config.ivr.language])
    for name in catalogue.table.entries:
        for language in languages:
            for gap in catalogue.missing([name], language):
                hint = f'write {language} = "..." below it'
                report.warn((name,), gap.message, hint)

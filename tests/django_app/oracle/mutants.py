"""Old faults, put back one by one: each must be found by the programs that every run of the tests makes.

`python -m tests.django_app.oracle.mutants [WORDS]` shows which of them are (minutes; with WORDS, those whose name has
them). README.md beside this file has its table.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
DJANGO, SQLALCHEMY = "dd_pa_django/model_events", "core/dd_pa/sqlalchemy"
PARTS = ("core", "dd_pa_django", "dd_pa_flask", "dd_pa_pytest", "tests", "docs", "pyproject.toml")
ORACLES = {
    DJANGO: "tests/django_app/oracle/test_oracle.py",
    SQLALCHEMY: "tests/sqlalchemy_models/test_oracle.py",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A fault: one piece of text in place of another."""

    name: str
    room: str
    file: str
    sound: str
    faulty: str

    def spoil(self, tree: Path) -> None:
        """Put the fault into a copy of the tree. Raises `ValueError` if the sound text is not there exactly once."""
        path = tree / self.room / self.file
        text = path.read_text()
        if self.places(tree) != 1:
            raise ValueError(f"{self.name}: {self.room}/{self.file} has {self.places(tree)} times {self.sound!r}")
        path.write_text(text.replace(self.sound, self.faulty))

    def places(self, tree: Path = ROOT) -> int:
        """Count the places where the fault could be put."""
        path = tree / self.room / self.file
        return path.read_text().count(self.sound) if path.exists() else 0


def _django(name: str, file: str, sound: str, faulty: str) -> Mutant:
    return Mutant(name=name, room=DJANGO, file=file, sound=sound, faulty=faulty)


def _sqlalchemy(name: str, file: str, sound: str, faulty: str) -> Mutant:
    return Mutant(name=name, room=SQLALCHEMY, file=file, sound=sound, faulty=faulty)


MUTANTS = (
    _django(
        "what was read or written in a block that rolls back is believed",
        "row_memory.py",
        "    if found.scope is not None and not found.scope.stands(found.savepoints, found.state, found.number):\n",
        "    if False:\n",
    ),
    _django(
        "what was deleted in a block that rolls back is taken for gone",
        "row_memory.py",
        "return self.scope is None or self.scope.stands(self.savepoints, self.state, self.number)",
        "return True",
    ),
    _django(
        "only the outermost block's rollback is noticed, no savepoint's",
        "../transaction_block.py",
        "        self._undone.append((state, next_number()))\n",
        "",
    ),
    _django(
        "an event of a savepoint that rolls back leaves",
        "../transaction_block.py",
        "self._block.undo(str(savepoint))",
        "...",
    ),
    _django(
        "an instance saved onto another row is compared with its own",
        "row_memory.py",
        "    if found.pk != instance.pk and found.pk != row_key(instance):\n        return _NOTHING\n",
        "",
    ),
    _django(
        "an instance saved into another database is compared with its first",
        "row_memory.py",
        " or found.using != connection.alias",
        "",
    ),
    _django(
        "what another instance has written since is not known",
        "row_memory.py",
        "    if rows and (written := rows.get((root, found.pk))) is not None and written.number > found.number:\n",
        "    if False:\n",
    ),
    _django(
        "a refreshed field is compared with what was loaded before",
        "load_watch.py",
        "            watch.on_refresh(self, names)",
        "            pass",
    ),
    _django(
        "a deferred field has no old value",
        "watch.py",
        "        if not unsure or active_emitter() is None:\n            return\n",
        "        return\n",
    ),
    _django(
        "an expression has no new value",
        "watch.py",
        "        if not unsure or active_emitter() is None:\n            return values\n",
        "        return values\n",
    ),
    _django(
        "`update_fields` is not looked at",
        "watch.py",
        "        found = self._changes(instances, self._remembered(names), connection)",
        "        found = self._changes(instances, self.remembered, connection)",
    ),
    _django(
        "values are compared as they were assigned, not as they are stored",
        "stored_values.py",
        "return kept(_normal(field, field.to_python(value), using))",
        "return kept(value)",
    ),
    _django(
        "JSON is compared before it was written",
        "stored_values.py",
        "return json.loads(json.dumps(value, cls=field.encoder), cls=field.decoder)",
        "return value",
    ),
    _django(
        "a naive datetime differs from the aware one that becomes of it",
        "stored_values.py",
        "is_naive = settings.USE_TZ and timezone.is_naive(value)",
        "is_naive = False",
    ),
    _django(
        "a decimal is not rounded as its column does it",
        "stored_values.py",
        "return value.quantize(Decimal(1).scaleb(-field.decimal_places), rounding=rounding)",
        "return value",
    ),
    _django(
        "a foreign key that is emptied by SET_NULL is not told",
        "cascades.py",
        "_WITHOUT_CHANGE = (CASCADE,",
        "_WITHOUT_CHANGE = (SET_NULL, CASCADE,",
    ),
    _django(
        "a foreign key that gets its default is taken for an empty one",
        "cascades.py",
        "if field.remote_field.on_delete is SET_NULL:",
        "if True:",
    ),
    _django(
        "a row that loses two fields by one deletion tells of one",
        "cascades.py",
        "        if values:\n            note_read(other, values, connection)\n",
        "        pass\n",
    ),
    _django(
        "relations that go with the other side's deletion are not told",
        "registry.py",
        "    for field in (*watch.fields, *watch.relations):\n",
        "    for field in watch.fields:\n",
    ),
    _django(
        "a symmetrical relation is told of one side only",
        "relations.py",
        "if pks and (reverse or field.remote_field.symmetrical):",
        "if pks and reverse:",
    ),
    _django(
        "a relation changed from the other side is not told",
        "relations.py",
        "if pks and (reverse or field.remote_field.symmetrical):",
        "if pks and not reverse and field.remote_field.symmetrical:",
    ),
    _django(
        "what is removed from a relation is told whether it was there or not",
        "relations.py",
        'pks = pk_set if action == "post_add" else block.leaving.pop((sender, id(instance)), ())',
        "gone = block.leaving.pop((sender, id(instance)), ())\n    pks = pk_set or gone",
    ),
    _django(
        "receivers of others are called first",
        "registry.py",
        "signal.receivers.sort(key=lambda item: item[0] != key)",
        "signal.receivers.sort(key=lambda item: item[0] == key)",
    ),
    _django(
        "fixtures are told",
        "registry.py",
        "    if raw:\n        watch.after_raw(instance, using)\n    elif created:",
        "    if created:",
    ),
    _django(
        "`update()` orders by a relation that may be null, and locks its table",
        "queryset.py",
        "        if self._selects_plain_rows():",
        "        if True:",
    ),
    _django(
        "instances do not know of an `update()` that needed none of them",
        "row_update.py",
        "        note_rows_written([row[0] for row, _, _ in changed], self._watch.root, connection_of(self._using))\n",
        "",
    ),
    _django(
        "`bulk_create` is not told",
        "queryset.py",
        "if watch is not None and not ignore_conflicts and not update_conflicts:",
        "if False:",
    ),
    _django(
        "an object with two tables is deleted twice",
        "registry.py",
        "deleted_by_a_parent = [base for base in holders if any(issubclass(parent, base) for parent in parents)]",
        "deleted_by_a_parent: list[Any] = []",
    ),
    _django(
        "a declaration does not hold for proxies and children",
        "registry.py",
        "        found = [_watch(heir) for heir in _heirs(model)]",
        "        found = [_watch(heir) for heir in _heirs(model) if heir is model or model._meta.abstract]",
    ),
    _django(
        "what was assigned and not saved is told of the row",
        "class_declaration.py",
        "value = row[attname] if attname in row else _of_instance(instance, field, using)",
        "value = _of_instance(instance, field, using)",
    ),
    _django(
        "a generated column is told as it was before",
        "watch.py",
        ".union(self._generated)",
        ".union(())",
    ),
    _django(
        "a generated column is told as it was before `update()`",
        "row_update.py",
        "for item in self._declared for field in item.sent.values() if field.generated]",
        "for item in self._declared for field in item.sent.values() if False]",
    ),
    _django(
        "a row that is deleted is told as the instance was loaded",
        "watch.py",
        "if emitter is not None and not known(instance, self.root, connection).keys() >= self._left.keys():",
        "if False:",
    ),
    _sqlalchemy(
        "what `post_update=True` writes is not told",
        "model_events.py",
        "            follow_flushes(self._model, self._written_aside)\n",
        "",
    ),
    _sqlalchemy(
        "what `post_update=True` writes is told twice",
        "model_events.py",
        "unheard = [name for name in columns if name not in told]",
        "unheard = list(columns)",
    ),
    _sqlalchemy(
        "relations that go with the other side's deletion are not told",
        "model_events.py",
        "                if side not in self._sides:",
        "                if False:",
    ),
    _sqlalchemy(
        "an event of a savepoint that rolls back leaves",
        "pending_events.py",
        "    transaction = innermost(plain)\n",
        "    transaction = plain.get_transaction()\n",
    ),
    _sqlalchemy(
        "a column that is set to SQL is not told",
        "model_events.py",
        "        if found and session is not None:",
        "        if False:",
    ),
    _sqlalchemy(
        "what is assigned pending to a relationship that is not loaded is not told",
        "changes.py",
        "PassiveFlag.PASSIVE_NO_INITIALIZE | PassiveFlag.INCLUDE_PENDING_MUTATIONS",
        "PassiveFlag.PASSIVE_NO_INITIALIZE",
    ),
    _sqlalchemy(
        "changes are compared as they were assigned, not as they are stored",
        "changes.py",
        "form = forms_of(mapper).get(name)",
        "form = None",
    ),
    _sqlalchemy(
        "columns are told as they were assigned, not as they are stored",
        "stored_values.py",
        "forms[name](value) if name in forms else value",
        "value",
    ),
    _sqlalchemy(
        "a new object over the row of a deleted one is told as a change",
        "row_switch.py",
        "    pending_in(session).switched.add(id(instance))\n",
        "",
    ),
    _sqlalchemy(
        "a new object over the row of a deleted one is told without what it has kept",
        "model_events.py",
        "instance, columns=columns_set)",
        "instance)",
    ),
    _sqlalchemy(
        "a row that is deleted is told as it was assigned",
        "stored_values.py",
        "known = {name: former[name] for",
        "known = {name: getattr(instance, name) for",
    ),
    _sqlalchemy(
        "a column that may not be loaded makes its event fail",
        "stored_values.py",
        "except InvalidRequestError:",
        "except ZeroDivisionError:",
    ),
)


def main() -> int:
    words = " ".join(sys.argv[1:])
    missed = 0
    for mutant in (item for item in MUTANTS if words in item.name):
        found = found_by(mutant)
        missed += not found
        orm = "Django" if mutant.room == DJANGO else "SQLAlchemy"
        print(f"| {mutant.name} | {orm} | {'; '.join(found) or 'nothing'} |", flush=True)
    return 1 if missed else 0


def found_by(mutant: Mutant) -> list[str]:
    """Return the tests that fail in a copy with this fault: on SQLite, else on the servers."""
    with tempfile.TemporaryDirectory() as name:
        tree = Path(name)
        for part in PARTS:
            copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
            copy(ROOT / part, tree / part)
        mutant.spoil(tree)
        return _failures(mutant, tree, "sqlite") or _failures(mutant, tree, "postgresql or mariadb")


def _failures(mutant: Mutant, tree: Path, kinds: str) -> list[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "--tb=no", "-rf"]
    env = {**os.environ, "PYTHONPATH": f"{tree}/core:{tree}", "DD_PA_ORACLE_SHRINKS": "0"}
    answer = subprocess.run(
        [*command, ORACLES[mutant.room], "-k", kinds], cwd=tree, env=env, capture_output=True, text=True, check=False
    )
    if answer.returncode not in (0, 1):
        raise SystemExit(f"{mutant.name}: the tests do not run\n{answer.stdout}{answer.stderr}")
    found = (re.match(r"FAILED .*::test_(\w+)\[(\w+)", line) for line in answer.stdout.splitlines())
    counted = Counter(f"{item[1].replace('_', ' ')}, {item[2]}" for item in found if item)
    return [f"{test} ({count} times)" if count > 1 else test for test, count in counted.items()]


if __name__ == "__main__":
    sys.exit(main())

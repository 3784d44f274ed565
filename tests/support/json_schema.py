"""Usage: json_schema.py SCHEMA   with one JSON document a line on standard input

Checks each document against a JSON Schema by python3-jsonschema, another implementation than ours, and writes one line
for each: what is wrong with it, empty when nothing is.
"""

import json
import sys

import jsonschema

with open(sys.argv[1], encoding="utf-8") as file:
    schema = json.load(file)
checker = jsonschema.validators.validator_for(schema)
checker.check_schema(schema)
validator = checker(schema)
for line in sys.stdin:
    error = jsonschema.exceptions.best_match(validator.iter_errors(json.loads(line)))
    print("" if error is None else json.dumps(f"{error.json_path}: {error.message}"[:500]))

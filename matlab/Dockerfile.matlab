# The image of licensed MATLAB: docker build -t matlab-session:matlab -f Dockerfile.matlab .
# Another release: --build-arg MATLAB_RELEASE=r2025b --build-arg MATLABENGINE=25.2.2
# What it needs to run, and what of it was never tried: docs/licensed-matlab.md.

ARG MATLAB_RELEASE=r2024b
# Or one of your own that is made from it: with toolboxes, or with what your network needs.
ARG BASE=mathworks/matlab:${MATLAB_RELEASE}
FROM ${BASE}

# Goes with the release, and wants a Python that both know: the image's 3.12 will do from r2024b on.
ARG MATLABENGINE=24.2.2

SHELL ["/bin/bash", "-o", "pipefail", "-c"]
USER 0
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends python3-venv \
 && rm -rf /var/lib/apt/lists/*
COPY matlab/requirements.lock /opt/session/
RUN ln -s "$(dirname "$(dirname "$(readlink -f "$(command -v matlab)")")")" /opt/session/matlabroot \
 && python3 -m venv /opt/session/venv \
 && /opt/session/venv/bin/pip install --no-cache-dir --require-hashes --requirement /opt/session/requirements.lock \
 && LD_LIBRARY_PATH="$(readlink -f /opt/session/matlabroot)/bin/glnxa64" \
    /opt/session/venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation "matlabengine==${MATLABENGINE}" \
 && mkdir -p /home/matlab/shared \
 && chown 1000:1000 /home/matlab/shared
COPY session_service /opt/session/session_service
COPY matlab/mfiles /opt/session/mfiles
RUN /opt/session/venv/bin/python -m compileall -q /opt/session/session_service

ENV PATH=/opt/session/venv/bin:${PATH} \
    PYTHONPATH=/opt/session \
    LANG=C.UTF-8 \
    SESSION_INTERPRETER=matlab \
    SESSION_LIBRARIES=/opt/session/matlabroot/bin/glnxa64
USER 1000:1000
WORKDIR /home/matlab/shared
EXPOSE 8888 8889
# The service starts matlab-proxy itself, and ends MATLAB before the container does.
ENTRYPOINT []
# Nothing of the user's: the folder that it runs in would be the first where modules are looked for (-P), and the packages
# that the user installed could change every start (-s). As flags, so that the user's own programs are as ever.
CMD ["python3", "-P", "-s", "-m", "session_service"]

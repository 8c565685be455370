FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/korad
WORKDIR /src
COPY requirements.lock ./
RUN /opt/korad/bin/pip install --require-hashes --only-binary :all: -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY korad korad
# The build backend is in the lock too, hence no isolation: nothing comes in without a hash.
RUN /opt/korad/bin/pip install --no-deps --no-build-isolation .

FROM python:3.13-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/korad korad \
 && install -d -m 0700 -o korad -g korad /var/lib/korad
COPY --from=build /opt/korad /opt/korad
ENV PATH=/opt/korad/bin:$PATH KORAD_STATE_DIR=/var/lib/korad PYTHONUNBUFFERED=1
USER korad
WORKDIR /var/lib/korad
VOLUME /var/lib/korad
EXPOSE 8084
# The slim image has no curl; a proxy in the environment is not for this address.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["python", "-c", \
  "import os, urllib.request as u; u.build_opener(u.ProxyHandler({})).open('http://127.0.0.1:' + os.environ.get('KORAD_PORT', '8084') + '/livez', timeout=2)"]
CMD ["korad", "serve", "--host", "0.0.0.0"]

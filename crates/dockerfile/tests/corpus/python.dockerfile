FROM python:3.12-slim AS base
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
ENV PATH="/venv/bin:$PATH"

FROM base AS builder
RUN python -m venv /venv
COPY requirements.txt /tmp/
RUN --mount=type=cache,target=/root/.cache/pip pip install -r /tmp/requirements.txt

FROM base AS runtime
LABEL org.opencontainers.image.title="shop" \
      org.opencontainers.image.description="A shop, with 'quotes' and \"more\" of them" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
RUN groupadd --system --gid 1000 shop && useradd --system --uid 1000 --gid shop shop
COPY --from=builder /venv /venv
COPY --chown=shop:shop . /srv/shop
WORKDIR /srv/shop
USER shop
VOLUME ["/srv/shop/media"]
CMD ["gunicorn", "--bind", "0.0.0.0:8000", "shop.wsgi"]

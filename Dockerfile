# Reads digits without PyTorch. Build it, then read an image of the current folder:
#   docker build -t cnn .
#   docker run --rm -v "$PWD:/images:ro" cnn read photo.jpg

FROM python:3.13-slim AS build
WORKDIR /src
COPY requirements-reading.txt ./
RUN python -m venv --without-pip /opt/cnn \
    && pip --python /opt/cnn/bin/python install --no-cache-dir -r requirements-reading.txt
COPY pyproject.toml README.md LICENSE ./
COPY cnn_cli cnn_cli
COPY configs configs
COPY checkpoints/pretrained checkpoints/pretrained
RUN pip --python /opt/cnn/bin/python install --no-cache-dir --no-deps .

FROM python:3.13-slim
COPY --from=build /opt/cnn /opt/cnn
ENV PATH=/opt/cnn/bin:$PATH
USER 1000:1000
WORKDIR /images
ENTRYPOINT ["cnn"]
CMD ["--help"]

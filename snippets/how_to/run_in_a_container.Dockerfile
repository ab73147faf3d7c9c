# docker build -f run_in_a_container.Dockerfile -t verl-rocm:0.9.1 .
# [start:base]
ARG BASE=vllm/vllm-openai-rocm:v0.30.0
FROM ${BASE}
# [end:base]

# [start:verl]
WORKDIR /opt/verl-rocm
COPY run_in_a_container_requirements.txt run_in_a_container_verl.sh ./
RUN PIP_NO_CACHE_DIR=1 bash run_in_a_container_verl.sh \
    0.9.1 run_in_a_container_requirements.txt
# [end:verl]

# [start:start]
# The base starts `vllm serve` with whatever is typed after the image's name.
WORKDIR /workspace
ENTRYPOINT []
CMD ["bash"]
# [end:start]

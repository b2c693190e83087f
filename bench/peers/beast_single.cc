// bench_beast: one message in each WebSocket frame.
#include "bench/peers/beast.h"

int main(int argc, char** argv) {
  grid::bench::BeastSystem beast(grid::bench::Framing::kOnePerMessage);
  return grid::bench::Main(beast, argc, argv);
}

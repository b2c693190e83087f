// bench_beast_packed: many messages in each WebSocket frame. The ceiling for whatever is built on
// Beast.
#include "bench/peers/beast.h"

int main(int argc, char** argv) {
  grid::bench::BeastSystem beast(grid::bench::Framing::kPacked);
  return grid::bench::Main(beast, argc, argv);
}

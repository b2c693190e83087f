// BeastSystem: Beast as a peer, in one of two framings.
#ifndef GRID_BENCH_PEERS_BEAST_H_
#define GRID_BENCH_PEERS_BEAST_H_

#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>

#include "bench/common/program.h"
#include "bench/peers/beast_session.h"

namespace grid::bench {

class BeastSystem final : public System {
 public:
  explicit BeastSystem(Framing framing) : framing_(framing) {}

  std::string name() const override {
    return framing_ == Framing::kPacked ? "beast_packed" : "beast";
  }
  absl::Status Serve(const Place& place) override;
  absl::StatusOr<std::unique_ptr<Client>> Connect(const Place& place,
                                                  const Workload& workload) override;

 private:
  const Framing framing_;
  boost::asio::io_context io_{1};
};

}  // namespace grid::bench

#endif  // GRID_BENCH_PEERS_BEAST_H_

// The asking side of bench_grpc: requests are unary calls, streams are one bidirectional call; both
// without protobuf, over one channel.
#ifndef GRID_BENCH_PEERS_GRPC_CLIENT_H_
#define GRID_BENCH_PEERS_GRPC_CLIENT_H_

#include <memory>
#include <string>

#include "bench/common/program.h"

namespace grid::bench {

// The calls, by their names. What follows kOneWay is the size of the messages.
inline constexpr char kGrpcEcho[] = "/bench/Echo";
inline constexpr char kGrpcTwoWay[] = "/bench/TwoWay";
inline constexpr char kGrpcOneWay[] = "/bench/OneWay/";

std::unique_ptr<Client> MakeGrpcUnaryClient(const std::string& address, const Workload& workload);
std::unique_ptr<Client> MakeGrpcStreamClient(const std::string& address, const Workload& workload);

}  // namespace grid::bench

#endif  // GRID_BENCH_PEERS_GRPC_CLIENT_H_

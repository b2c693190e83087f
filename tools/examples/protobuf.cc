// Messages of Protocol Buffers in typed handlers: one codec for all of them, and two nodes that use
// it. The messages are those of disk.proto.
#include <disk.pb.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <boost/asio/use_future.hpp>
#include <climits>
#include <concepts>
#include <iostream>
#include <string>

#include "grid/manager.h"
#include "handlers/recycled.h"
#include "handlers/single_handler.h"

// All that it takes. Both ends must see it before they name a handler with such a type.
template <std::derived_from<google::protobuf::Message> T>
struct grid::Codec<T> {
  static size_t SizeBound(const T& value) { return value.ByteSizeLong(); }

  static absl::Status Encode(const T& value, Buffer& out) {
    const size_t before = out.size(), size = value.ByteSizeLong();
    if (size > INT_MAX) return absl::InvalidArgumentError("the message is larger than 2 GiB");
    out.Resize(before + size);
    value.SerializeWithCachedSizesToArray(out.data() + before);
    return absl::OkStatus();
  }

  static absl::Status Decode(BytesView bytes, T& value, const DecodeLimits& limits) {
    if (bytes.size() > std::min<size_t>(limits.max_length, INT_MAX)) {
      return absl::InvalidArgumentError("the message is longer than the limit (" +
                                        std::to_string(limits.max_length) + " bytes)");
    }
    if (value.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return absl::OkStatus();
    return absl::InvalidArgumentError("not a " + value.GetTypeName());
  }
};

namespace {

using grid_example::DiskInfo;
using grid_example::DiskInfoRequest;

constexpr grid::SingleHandler<DiskInfoRequest, DiskInfo> kDiskInfo{grid::HandlerId{9},
                                                                   {.max_length = 4096}};

// Messages have Clear(): those that a handler gets and fills are used again, with the memory of
// their strings.
static_assert(grid::kRecyclable<DiskInfo>);

absl::Status Describe(const DiskInfoRequest& request, DiskInfo& info, grid::RequestContext&) {
  if (request.drive().empty()) return absl::InvalidArgumentError("no drive is named");
  info.set_total(uint64_t{4} << 40);
  info.set_free(uint64_t{3} << 40);
  for (const char* volume : {"photos", "logs"}) info.add_volumes(request.drive() + "/" + volume);
  return absl::OkStatus();
}

absl::StatusOr<DiskInfo> Ask(const grid::Connection& peer, const std::string& drive) {
  DiskInfoRequest request;
  request.set_drive(drive);
  auto call = kDiskInfo.Call(peer, request, {.wait_for_ready = true}, boost::asio::use_future);
  return call.get();
}

// What must fail, and how.
absl::Status Expect(const std::string& text, const absl::Status& status) {
  std::cout << "refused: " << status.message() << "\n";
  if (status.message() == text) return absl::OkStatus();
  return absl::InternalError("expected: " + text);
}

absl::Status Run() {
  grid::ManagerOptions here, there;
  here.local = "http://127.0.0.1:7421";
  there.local = "http://127.0.0.2:7421";
  grid::Manager client(here), server(there);

  absl::Status status = kDiskInfo.Register(server, Describe);
  status.Update(client.AddPeer(there.local));
  status.Update(server.AddPeer(here.local));
  for (grid::Manager* node : {&server, &client}) {
    status.Update(node->Start());
    status.Update(node->Listen(node->local().substr(7)).status());
  }
  if (!status.ok()) return status;

  const grid::Connection peer = client.Connection(there.local);
  const absl::StatusOr<DiskInfo> info = Ask(peer, "/d1");
  if (!info.ok()) return info.status();
  std::cout << info->ShortDebugString() << "\n";
  if (info->volumes_size() != 2 || info->volumes(1) != "/d1/logs") {
    return absl::InternalError("not what was asked for");
  }

  // An error of the handler's, what is no such message, and what is longer than we said.
  status.Update(Expect("no drive is named", Ask(peer, "").status()));
  auto raw = peer.Request(kDiskInfo.id(), grid::AsBytes("\xff"), {}, boost::asio::use_future);
  status.Update(Expect("request: not a grid_example.DiskInfoRequest", raw.get().status()));
  status.Update(Expect("request: the message is longer than the limit (4096 bytes)",
                       Ask(peer, std::string(5000, 'd')).status()));
  return status;
}

}  // namespace

int main() {
  const absl::Status status = Run();
  if (!status.ok()) std::cerr << status << "\n";
  google::protobuf::ShutdownProtobufLibrary();
  return status.ok() ? 0 : 1;
}

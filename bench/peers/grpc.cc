// gRPC: the callback API, generic calls of plain bytes.
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"
#include "bench/common/program.h"
#include "bench/common/stop.h"
#include "bench/peers/grpc_client.h"

namespace grid::bench {
namespace {

class UnaryReactor final : public grpc::ServerGenericBidiReactor {
 public:
  UnaryReactor() { StartRead(&message_); }
  void OnReadDone(bool ok) override {
    if (ok) {
      StartWriteAndFinish(&message_, grpc::WriteOptions(), grpc::Status::OK);
    } else {
      Finish(grpc::Status::OK);
    }
  }
  void OnDone() override { delete this; }

 private:
  grpc::ByteBuffer message_;
};

class TwoWayReactor final : public grpc::ServerGenericBidiReactor {
 public:
  TwoWayReactor() { StartRead(&message_); }
  void OnReadDone(bool ok) override {
    if (ok) {
      StartWrite(&message_);
    } else {
      Finish(grpc::Status::OK);
    }
  }
  void OnWriteDone(bool ok) override {
    if (ok) {
      StartRead(&message_);
    } else {
      Finish(grpc::Status::OK);
    }
  }
  void OnDone() override { delete this; }

 private:
  grpc::ByteBuffer message_;
};

class OneWayReactor final : public grpc::ServerGenericBidiReactor {
 public:
  explicit OneWayReactor(size_t size) {
    const grpc::Slice slice(std::string(size, 'x'));
    message_ = grpc::ByteBuffer(&slice, 1);
    StartWrite(&message_);
  }
  void OnWriteDone(bool ok) override {
    if (ok) {
      StartWrite(&message_);
    } else {
      Finish(grpc::Status::OK);
    }
  }
  void OnDone() override { delete this; }

 private:
  grpc::ByteBuffer message_;
};

class Service final : public grpc::CallbackGenericService {
  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override {
    const std::string& method = context->method();
    if (method == kGrpcEcho) return new UnaryReactor();
    if (method == kGrpcTwoWay) return new TwoWayReactor();
    size_t size = 0;
    absl::string_view text = method;
    if (absl::ConsumePrefix(&text, kGrpcOneWay) && absl::SimpleAtoi(text, &size)) {
      return new OneWayReactor(size);
    }
    return CallbackGenericService::CreateReactor(context);  // answers "unimplemented"
  }
};

class Grpc final : public System {
 public:
  std::string name() const override { return "grpc"; }

  absl::Status Serve(const Place& place) override {
    BlockStop();
    Service service;
    grpc::ServerBuilder builder;
    builder.AddListeningPort(place.address, grpc::InsecureServerCredentials());
    builder.RegisterCallbackGenericService(&service);
    const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    if (server == nullptr) return absl::UnavailableError("can't listen on " + place.address);
    PrintReady(place.address);
    WaitForStop();
    server->Shutdown(std::chrono::system_clock::now());
    return absl::OkStatus();
  }

  absl::StatusOr<std::unique_ptr<Client>> Connect(const Place& place,
                                                  const Workload& workload) override {
    return workload.mode == Mode::kEcho ? MakeGrpcUnaryClient(place.address, workload)
                                        : MakeGrpcStreamClient(place.address, workload);
  }
};

}  // namespace
}  // namespace grid::bench

int main(int argc, char** argv) {
  grid::bench::Grpc grpc;
  return grid::bench::Main(grpc, argc, argv);
}

// Every status with every shape of a body at every moment, over shipped contracts: once the API is honest again, each
// record has arrived, none was given up, and the ledger balances.

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <string>
#include <vector>

#include "api_fixture.h"
#include "sizes.h"

namespace packhorse::delivery {
namespace {

using namespace std::chrono_literals;

enum class Shape { kNone, kOwn, kPartly, kOtherJson, kList, kHtml, kTooLong, kWrongType, kCut };
constexpr std::array kShapes = {Shape::kNone, Shape::kOwn,     Shape::kPartly,    Shape::kOtherJson, Shape::kList,
                                Shape::kHtml, Shape::kTooLong, Shape::kWrongType, Shape::kCut};

class FaultMatrix : public ApiTest, public ::testing::WithParamInterface<std::tuple<const char*, int>> {
 protected:
  FaultMatrix() {
    hop_ = 10min;
    Use(MakeModel(std::get<0>(GetParam())));
  }

  // For two minutes all requests go wrong, for two more half of them; then none does.
  void Outage(const ApiScript& wrong) {
    Begin();  // nothing is known of what was before
    const int first = next_;
    for (int i = 0; i < 6; ++i) {
      AppendNext();
    }
    const MonoTime begin = clock_.Mono();
    MonoTime last = begin;
    Play(Reading([&](const Items& items) {
           return clock_.Mono() - begin < 2min || Chance() ? wrong(items) : Honest(items);
         }),
         4min, [&] {
           if (clock_.Mono() - last >= 1min) {
             last = clock_.Mono();
             AppendNext();
           }
           return false;
         });
    Play(Reading([&](const Items& items) { return Honest(items); }), 12h, [&] { return AllEnded(); });
    EXPECT_EQ(Now().pending, 0U) << Suspects() << " suspects; " << Now().reason;
    EXPECT_EQ(Dead(), 0U);
    EXPECT_EQ(Row().delivered, static_cast<std::uint64_t>(next_));
    EXPECT_TRUE(queue_->VerifyLedger()->empty());
    for (int n = first; n < next_; ++n) {
      EXPECT_TRUE(kept_.contains(n)) << n << " is lost";
    }
  }
  bool Chance() { return random_() % 2 == 0; }

  std::mt19937 random_{20'261'130};
};

class FaultMatrixOfReplies : public FaultMatrix {
 protected:
  int status() const { return std::get<1>(GetParam()); }

  // The right document for the status.
  std::string Document(const Items& items) const {
    return IsSuccess() ? model_->Success(items).body : model_->Failure(status());
  }
  bool IsSuccess() const { return status() == model_->Success({}).status; }

  // Stores what it says is stored, and else everything or nothing.
  upload::Response Wrong(Shape shape, const Items& items) {
    const bool stores = WouldBeALie(shape) || Chance();
    if (shape == Shape::kPartly) {
      return HalfOf(stores, items);
    }
    if (stores) {
      Store(items);
    }
    const std::string own = Document(items);
    switch (shape) {
      case Shape::kOwn:
      case Shape::kPartly:
        return Reply(status(), own);
      case Shape::kNone:
        return Reply(status(), "", "");
      case Shape::kOtherJson:
        return Reply(status(), R"({"ok":true,"count":7})");
      case Shape::kList:
        return Reply(status(), R"(["accepted",{"line":"one"}])");
      case Shape::kHtml:
        return Reply(status(), "<!DOCTYPE html><html><head><title>Sign in</title></head></html>", "text/html");
      case Shape::kTooLong: {
        upload::Response response = Reply(status(), own + std::string(1U << 20U, ' '));
        response.truncated = true;
        return response;
      }
      case Shape::kWrongType:
        return Reply(status(), own, "text/plain");
      case Shape::kCut:
        return Reply(status(), own.substr(0, own.size() - own.size() / 3));
    }
    return Reply(status());
  }

  // Every second item, where the API can say so with some status; else nothing but what it fails with.
  upload::Response HalfOf(bool stores, const Items& items) {
    std::vector<ApiModel::Fate> fates;
    for (std::size_t i = 0; i < items.size(); ++i) {
      fates.push_back(i % 2 == 0 ? ApiModel::Fate::kTaken : ApiModel::Fate::kAgain);
      if (stores || i % 2 == 0) {
        Store({items[i]});
      }
    }
    upload::Response response = model_->Partly(items, fates).value_or(Reply(status(), model_->Failure(status())));
    response.status = status();
    return response;
  }

  // Where the API says in its own words that it has stored everything, it has.
  bool WouldBeALie(Shape shape) const {
    const bool has_no_words = Document({}).empty();
    const bool in_its_words = shape == Shape::kOwn || shape == Shape::kWrongType || has_no_words;
    return IsSuccess() && in_its_words;
  }
};

// A small matrix has one shape for each status, another one for each API.
bool IsLeftOut(Shape shape, int status, const std::string& api) {
  const std::size_t of_status = (static_cast<std::size_t>(status) + api.size()) % kShapes.size();
  return SmallTests() && shape != kShapes.at(of_status);
}

std::vector<int> Statuses() {
  return SmallTests() ? std::vector{200, 207, 401, 422, 503}
                      : std::vector{200, 201, 202, 204, 207, 301, 307, 400, 401, 403, 404, 408, 409,
                                    410, 413, 422, 425, 429, 500, 501, 502, 503, 504, 520, 599};
}

TEST_P(FaultMatrixOfReplies, NothingIsLostAndNothingGivenUp) {
  for (const Shape shape : kShapes) {
    if (IsLeftOut(shape, status(), std::get<0>(GetParam()))) {
      continue;
    }
    SCOPED_TRACE("shape " + std::to_string(static_cast<int>(shape)));
    Outage([&](const Items& items) { return Wrong(shape, items); });
    if (HasFailure()) {
      return;
    }
  }
}

const auto kApis = ::testing::Values("Ingest", "Influx", "Elasticsearch", "Kinesis");

INSTANTIATE_TEST_SUITE_P(All, FaultMatrixOfReplies, ::testing::Combine(kApis, ::testing::ValuesIn(Statuses())),
                         [](const auto& entry) {
                           return std::string(std::get<0>(entry.param)) + std::to_string(std::get<1>(entry.param));
                         });

class FaultMatrixOfMoments : public FaultMatrix {};

TEST_P(FaultMatrixOfMoments, NothingIsLostAndNothingGivenUp) {
  const auto moment = static_cast<upload::Transport>(std::get<1>(GetParam()));
  for (int i = 0; i < 3; ++i) {
    Outage([&](const Items& items) {
      if (upload::OutcomeUnknown(moment) && Chance()) {
        Store(items);
      }
      return Broken(moment);
    });
  }
}

INSTANTIATE_TEST_SUITE_P(All, FaultMatrixOfMoments,
                         ::testing::Combine(kApis, ::testing::Range(static_cast<int>(upload::Transport::kResolve),
                                                                    static_cast<int>(upload::Transport::kLocal) + 1)),
                         [](const auto& entry) {
                           const auto moment = static_cast<upload::Transport>(std::get<1>(entry.param));
                           std::string name = std::string(std::get<0>(entry.param)) + std::string(upload::Name(moment));
                           std::erase_if(name, [](char each) { return each == '_' || each == ' '; });
                           return name;
                         });

}  // namespace
}  // namespace packhorse::delivery

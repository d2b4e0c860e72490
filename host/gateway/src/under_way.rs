//! How many calls are being made.

use tokio::sync::watch;

/// Calls that are being made.
#[derive(Debug, Clone, Default)]
pub struct UnderWay(watch::Sender<usize>);

impl UnderWay {
    /// One more, until what is given back is dropped.
    pub fn one_more(&self) -> OneUnderWay {
        self.0.send_modify(|calls| *calls += 1);
        OneUnderWay(self.0.clone())
    }

    /// Whether there is one.
    pub fn any(&self) -> bool {
        *self.0.borrow() > 0
    }

    /// Waits until there is none.
    pub async fn none(&self) {
        // The sender is here: nobody closes it meanwhile.
        let _ = self.0.subscribe().wait_for(|calls| *calls == 0).await;
    }
}

/// A call that is being made.
#[derive(Debug)]
pub struct OneUnderWay(watch::Sender<usize>);

impl Drop for OneUnderWay {
    fn drop(&mut self) {
        self.0.send_modify(|calls| *calls -= 1);
    }
}

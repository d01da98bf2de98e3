//! The words that jobs are described with (service-protocols.md 2.7, 2.9, 2.10).

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobType {
    /// `scheduleUpdateTwin`
    UpdateTwin,
    /// `scheduleDeviceMethod`
    DeviceMethod,
    /// `export`
    Export,
    /// `import`
    Import,
}

impl JobType {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UpdateTwin => "scheduleUpdateTwin",
            Self::DeviceMethod => "scheduleDeviceMethod",
            Self::Export => "export",
            Self::Import => "import",
        }
    }

    /// Reads the word, in any case; `scheduleTwinUpdate`, which some pages of the original say, too.
    pub fn parse(text: &str) -> Option<Self> {
        if text.eq_ignore_ascii_case("scheduleTwinUpdate") {
            return Some(Self::UpdateTwin);
        }
        [Self::UpdateTwin, Self::DeviceMethod, Self::Export, Self::Import]
            .into_iter()
            .find(|word| text.eq_ignore_ascii_case(word.as_str()))
    }
}

/// Where a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobStatus {
    /// `enqueued`: an import or export waits for its turn.
    Enqueued,
    /// `scheduled`: its start time is to come.
    Scheduled,
    /// `queued`: its time has come, others run.
    Queued,
    /// `running`
    Running,
    /// `completed`: every target was tried, or had its time.
    Completed,
    /// `failed`: it could not be carried out; of what single targets failed with it says nothing.
    Failed,
    /// `cancelled`
    Cancelled,
}

impl JobStatus {
    const ALL: [Self; 7] = [
        Self::Enqueued,
        Self::Scheduled,
        Self::Queued,
        Self::Running,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
    ];

    /// The word; with two l's.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enqueued => "enqueued",
            Self::Scheduled => "scheduled",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads the word, in any case.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|word| text.eq_ignore_ascii_case(word.as_str()))
    }

    /// Whether nothing more comes.
    pub const fn is_final(self) -> bool {
        match self {
            Self::Enqueued | Self::Scheduled | Self::Queued | Self::Running => false,
            Self::Completed | Self::Failed | Self::Cancelled => true,
        }
    }
}

/// Where a job is with one identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeviceJobStatus {
    /// `pending`: to come.
    Pending,
    /// `scheduled`: to come; written by no part of this hub.
    Scheduled,
    /// `running`
    Running,
    /// `completed`
    Completed,
    /// `failed`
    Failed,
    /// `canceled`
    Canceled,
}

impl DeviceJobStatus {
    const ALL: [Self; 6] = [
        Self::Pending,
        Self::Scheduled,
        Self::Running,
        Self::Completed,
        Self::Failed,
        Self::Canceled,
    ];

    /// The word; with one l.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Scheduled => "scheduled",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }

    /// Reads the word, in any case.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|word| text.eq_ignore_ascii_case(word.as_str()))
    }

    /// Whether nothing more comes.
    pub const fn is_final(self) -> bool {
        match self {
            Self::Pending | Self::Scheduled | Self::Running => false,
            Self::Completed | Self::Failed | Self::Canceled => true,
        }
    }
}
